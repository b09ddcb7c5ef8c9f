//! Of which time, and from where.

use chrono::{DateTime, Utc};

use super::ArchivedPiece;

/// Which lines are meant: of which time, and from which log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRange {
    /// From this time on.
    pub from: DateTime<Utc>,
    /// Before this time.
    pub to: DateTime<Utc>,
    /// Of logs that begin with this: `HOST`, or `HOST/LOG`. None for all.
    pub log: Option<String>,
}

impl LogRange {
    /// All that was written from `from` on and before `to`.
    #[must_use]
    pub const fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self { from, to, log: None }
    }

    /// The same of one host or one log only: `HOST`, or `HOST/LOG`.
    #[must_use]
    pub fn of_log(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    pub(super) fn covers(&self, piece: &ArchivedPiece) -> bool {
        let is_of_log = self.log.as_ref().is_none_or(|log| {
            piece.log.strip_prefix(log.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        is_of_log && piece.first < self.to && self.from <= piece.last
    }

    pub(super) fn contains(&self, time: DateTime<Utc>) -> bool {
        self.from <= time && time < self.to
    }
}
