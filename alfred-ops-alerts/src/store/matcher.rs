//! A condition on one label.

use alfred_ops_core::Labels;

/// A condition on one label. A missing label counts as an empty value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Matcher {
    /// The label has this value.
    Equal {
        /// The label.
        name: String,
        /// Its value.
        value: String,
    },
    /// The label has another value.
    NotEqual {
        /// The label.
        name: String,
        /// Not its value.
        value: String,
    },
    /// The label has one of these values.
    OneOf {
        /// The label.
        name: String,
        /// Its possible values.
        values: Vec<String>,
    },
}

impl Matcher {
    /// Whether `labels` meet the condition.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Self::Equal { name, value } => labels.get(name).unwrap_or_default() == value,
            Self::NotEqual { name, value } => labels.get(name).unwrap_or_default() != value,
            Self::OneOf { name, values } => {
                let actual = labels.get(name).unwrap_or_default();
                values.iter().any(|value| value == actual)
            }
        }
    }
}
