//! What is wrong with a rule.

use std::borrow::Cow;

use alfred_ops_core::{Classify, ErrorKind};

/// What is wrong with a relabelling rule, and in which of its fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct RelabelMistake {
    /// The field's name in a configuration file.
    pub field: &'static str,
    /// What is wrong, with the value.
    pub what: String,
    /// What to do, as an imperative sentence without a full stop.
    pub remedy: &'static str,
}

impl Classify for RelabelMistake {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        Some(self.remedy.into())
    }
}
