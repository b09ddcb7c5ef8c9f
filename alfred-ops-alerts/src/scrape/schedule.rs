//! When things are done.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The next time after `now` at which something is done every `interval`.
///
/// Each `seed` has its own fixed offset within the interval, so that targets are not all asked at once, and a
/// restart does not change when they are.
pub(crate) fn next_run(now: DateTime<Utc>, interval: Duration, seed: u64) -> DateTime<Utc> {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let offset = i64::try_from(seed % interval.unsigned_abs()).unwrap_or(0);
    let since = (now.timestamp_millis() - offset).rem_euclid(interval);
    now.checked_add_signed(TimeDelta::milliseconds(interval - since)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_an_interval_apart_and_at_the_same_offset(
            millis in 0..4_000_000_000_000_i64, seed: u64, interval in 1..600_000_u64,
        ) {
            let now = DateTime::from_timestamp_millis(millis).unwrap();
            let length = Duration::from_millis(interval);
            let next = next_run(now, length, seed);
            prop_assert!(next > now && next - now <= TimeDelta::from_std(length).unwrap());
            prop_assert_eq!((next_run(next, length, seed) - next).to_std().unwrap(), length);
            prop_assert_eq!(next.timestamp_millis().unsigned_abs() % interval, seed % interval);
        }
    }
}
