//! A rule as it is written down.

use super::{NameScheme, RelabelAction};

/// A relabelling rule as it is written down, with Prometheus' defaults. [`RelabelRule::new`] checks it.
///
/// [`RelabelRule::new`]: super::RelabelRule::new
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelabelSpec {
    /// What the rule does.
    pub action: RelabelAction,
    /// The labels whose values are joined.
    pub source_labels: Vec<String>,
    /// What stands between the joined values. Default `;`.
    pub separator: String,
    /// What the joined values, or the names of labels, must match in full, in RE2's syntax. Default `(.*)`.
    pub regex: String,
    /// Divides the hash of [`RelabelAction::HashMod`].
    pub modulus: u64,
    /// The label that is set; for [`RelabelAction::Replace`] a template.
    pub target_label: String,
    /// The template of the new value. Default `$1`.
    pub replacement: String,
    /// Which names labels may have.
    pub scheme: NameScheme,
}

impl Default for RelabelSpec {
    fn default() -> Self {
        Self {
            action: RelabelAction::Replace,
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            regex: "(.*)".to_owned(),
            modulus: 0,
            target_label: String::new(),
            replacement: "$1".to_owned(),
            scheme: NameScheme::Utf8,
        }
    }
}

impl RelabelSpec {
    /// A rule of this action, all else by default.
    #[must_use]
    pub fn new(action: RelabelAction) -> Self {
        Self { action, ..Self::default() }
    }

    /// Sets the labels whose values are joined.
    #[must_use]
    pub fn with_source_labels<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.source_labels = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what stands between the joined values.
    #[must_use]
    pub fn with_separator(mut self, separator: impl Into<String>) -> Self {
        self.separator = separator.into();
        self
    }

    /// Sets the regular expression.
    #[must_use]
    pub fn with_regex(mut self, regex: impl Into<String>) -> Self {
        self.regex = regex.into();
        self
    }

    /// Sets the divisor of the hash.
    #[must_use]
    pub const fn with_modulus(mut self, modulus: u64) -> Self {
        self.modulus = modulus;
        self
    }

    /// Sets the label that is set.
    #[must_use]
    pub fn with_target_label(mut self, name: impl Into<String>) -> Self {
        self.target_label = name.into();
        self
    }

    /// Sets the template of the new value.
    #[must_use]
    pub fn with_replacement(mut self, replacement: impl Into<String>) -> Self {
        self.replacement = replacement.into();
        self
    }

    /// Sets which names labels may have.
    #[must_use]
    pub const fn with_scheme(mut self, scheme: NameScheme) -> Self {
        self.scheme = scheme;
        self
    }
}
