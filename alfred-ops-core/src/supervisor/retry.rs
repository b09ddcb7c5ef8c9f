//! When a job that failed runs again before its next slot. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Outcome, Retry};

/// The first pause after a failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longer pauses would make a service look dead to whoever watches it.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// After so many failures in a row a scheduled job waits for its next slot.
const RETRIES_MAX: u32 = 8;
/// A service that ran for so long did start well: its next pause is the shortest again.
const STABLE_AFTER: TimeDelta = TimeDelta::minutes(10);

/// The pause after so many failures in a row.
pub(super) fn pause(failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    PAUSE_MIN.saturating_mul(factor).min(PAUSE_MAX)
}

/// When a job runs again after its `failures`-th failure in a row, if sooner than planned.
///
/// An unknown outcome is retried as well: a run looks at the world before it acts.
pub(super) fn retry_at(retry: Retry, failures: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let wait = match retry {
        Retry::Never => return None,
        _ if failures > RETRIES_MAX => return None,
        Retry::After(Some(asked)) => asked.max(pause(failures)),
        Retry::After(None) | Retry::Unknown => pause(failures),
    };
    now.checked_add_signed(TimeDelta::from_std(wait).ok()?)
}

/// When a service that ended by itself starts again, and with how many failures in a row it then counts.
pub(super) fn restart_at(
    outcome: Outcome,
    ran: TimeDelta,
    failures_before: u32,
    now: DateTime<Utc>,
) -> (u32, DateTime<Utc>) {
    let before = if ran >= STABLE_AFTER { 0 } else { failures_before };
    let failures = if outcome == Outcome::Failed { before.saturating_add(1) } else { before };
    let wait = TimeDelta::from_std(pause(failures)).unwrap_or(TimeDelta::minutes(5));
    (before, now.checked_add_signed(wait).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_the_far_side_may_ask_for_more() {
        assert_eq!([1, 2, 3, 9, 10, 40].map(|n| pause(n).as_secs()), [1, 2, 4, 256, 300, 300]);
        let now = DateTime::UNIX_EPOCH;
        let after = |retry, failures| retry_at(retry, failures, now).map(|at| (at - now).num_seconds());
        assert_eq!(after(Retry::After(None), 3), Some(4));
        assert_eq!(after(Retry::After(Some(Duration::from_secs(60))), 3), Some(60));
        assert_eq!(after(Retry::Unknown, 1), Some(1));
        assert_eq!(after(Retry::Never, 1), None);
        assert_eq!(after(Retry::After(None), 9), None);
    }

    #[test]
    fn a_service_that_ran_well_starts_again_quickly() {
        let now = DateTime::UNIX_EPOCH;
        let wait = |ran, failures| {
            let (before, at) = restart_at(Outcome::Failed, ran, failures, now);
            (before, (at - now).num_seconds())
        };
        assert_eq!(wait(TimeDelta::seconds(3), 4), (4, 16));
        assert_eq!(wait(TimeDelta::hours(1), 4), (0, 1));
    }
}
