//! One mistake in a configuration.

use std::fmt;

/// One mistake in a configuration: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The field's path, such as `backup.targets[1].url`.
    pub path: String,
    /// What is wrong, with the value unless it is secret.
    pub what: String,
    /// What to do, as an imperative sentence without a full stop.
    pub remedy: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}
