//! Where a window of the past begins.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The moment a window ago; the earliest there is if that lies before it.
pub(super) fn before(now: DateTime<Utc>, window: Duration) -> DateTime<Utc> {
    let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(window).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
