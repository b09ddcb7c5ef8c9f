//! How asking a source goes.

use chrono::{DateTime, Utc};

/// How asking a query source goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The source's name.
    pub name: String,
    /// How many queries it was asked.
    pub asked: u64,
    /// To how many of them there is no answer.
    pub failed: u64,
    /// Why the last query has no answer, if it has none.
    pub last_error: Option<String>,
    /// When a query was last answered.
    pub last_answer: Option<DateTime<Utc>>,
}
