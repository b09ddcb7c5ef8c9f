//! One time at which an alert stood.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::Reason;

/// One time at which an alert was pending or firing, from the first evaluation that found it to the one that did not.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Episode {
    /// When the condition began to hold.
    pub began_at: DateTime<Utc>,
    /// When the alert fired; `None` if it never did.
    pub fired_at: Option<DateTime<Utc>>,
    /// When it ended, and why; `None` if it stood at the end of the range.
    pub ended: Option<(DateTime<Utc>, Reason)>,
}

impl Episode {
    /// For how long it was pending, up to `end` if it still is.
    #[must_use]
    pub fn pending_time(&self, end: DateTime<Utc>) -> TimeDelta {
        self.fired_at.unwrap_or_else(|| self.until(end)) - self.began_at
    }

    /// For how long it fired, up to `end` if it still does.
    #[must_use]
    pub fn firing_time(&self, end: DateTime<Utc>) -> TimeDelta {
        self.fired_at.map_or(TimeDelta::zero(), |fired_at| self.until(end) - fired_at)
    }

    fn until(&self, end: DateTime<Utc>) -> DateTime<Utc> {
        self.ended.map_or(end, |(at, _)| at)
    }
}
