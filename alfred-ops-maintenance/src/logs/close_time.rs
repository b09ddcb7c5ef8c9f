//! When a file is closed for its age.

use std::time::Duration;

use alfred_ops_core::SharedClock;
use chrono::{DateTime, Utc};

/// When a file is closed for its age: at the end of each period since the epoch.
///
/// The moment is one of the monotonic clock: a jump of the other one changes nothing.
pub(super) struct CloseTime {
    period: Duration,
    at: Duration,
}

impl CloseTime {
    /// A time that has come. A period below a second counts as one.
    pub(super) const fn new(period: Duration) -> Self {
        Self { period, at: Duration::ZERO }
    }

    pub(super) fn has_come(&self, now: Duration) -> bool {
        now >= self.at
    }

    /// It has come now.
    pub(super) fn bring_forward(&mut self) {
        self.at = Duration::ZERO;
    }

    /// It comes at the end of this period.
    pub(super) fn schedule(&mut self, clock: &SharedClock) {
        let into = u64::try_from(clock.now().timestamp().rem_euclid(self.seconds())).unwrap_or(0);
        let rest = self.period.saturating_sub(Duration::from_secs(into));
        self.at = clock.monotonic().saturating_add(rest);
    }

    pub(super) fn is_of_earlier_period(&self, time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let period = |time: DateTime<Utc>| time.timestamp().div_euclid(self.seconds());
        period(time) < period(now)
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.period.as_secs()).unwrap_or(i64::MAX).max(1)
    }
}
