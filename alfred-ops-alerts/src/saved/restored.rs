//! What becomes of a saved alert after an outage. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Alert, AlertState, RESOLVED_RETENTION, Reason};
use crate::rule::AlertPart;

/// After a longer outage nobody knows whether a condition has gone on holding; Prometheus' default.
pub const OUTAGE_TOLERANCE: Duration = Duration::from_secs(60 * 60);
/// How long a pending alert must be seen again before it fires, however little of its time remained; Prometheus' default.
pub const GRACE: Duration = Duration::from_secs(10 * 60);

/// When nobody looked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    /// When the state was saved for the last time.
    pub(crate) from: DateTime<Utc>,
    /// When it is restored.
    pub(crate) until: DateTime<Utc>,
}

impl Outage {
    fn length(self) -> TimeDelta {
        // A clock that went back makes no negative outage.
        (self.until - self.from).max(TimeDelta::zero())
    }
}

/// Why a saved alert is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRestored {
    /// It was pending, and the outage was longer than [`OUTAGE_TOLERANCE`].
    OutageTooLong,
    /// It was pending for a rule that waits less than [`GRACE`]: it starts over sooner than it could be trusted.
    WaitsTooBriefly,
    /// It resolved so long ago that it would have been forgotten.
    Forgotten,
}

/// What becomes of a saved alert of `rule` after an outage.
///
/// Firing alerts go on firing, however long the outage: whoever was told that they fire is told that they ended only
/// when that is known. Pending ones go on as in Prometheus: the outage does not count towards the rule's `for`, and at
/// least [`GRACE`] remains unless they had held for long enough already.
pub(crate) fn restored(mut alert: Alert, outage: Outage, rule: &AlertPart) -> Result<Alert, NotRestored> {
    match alert.state {
        AlertState::Pending => {
            alert.active_at = pending_since(alert.active_at, outage, rule.for_duration)?;
            alert.reason = Reason::Waiting { until: later(alert.active_at, delta(rule.for_duration)) };
        }
        AlertState::Firing => {
            alert.reason = match alert.keep_firing_since {
                Some(since) => Reason::KeptFiring { until: later(since, delta(rule.keep_firing_for)) },
                None => Reason::Held { since: alert.active_at },
            };
        }
        AlertState::Resolved | AlertState::Inactive => {
            let known_until = alert.resolved_at.map(|at| later(at, delta(RESOLVED_RETENTION)));
            if known_until.is_none_or(|known_until| outage.until > known_until) {
                return Err(NotRestored::Forgotten);
            }
        }
    }
    Ok(alert)
}

fn pending_since(
    active_at: DateTime<Utc>,
    outage: Outage,
    for_duration: Duration,
) -> Result<DateTime<Utc>, NotRestored> {
    let (for_duration, grace) = (delta(for_duration), delta(GRACE));
    if for_duration < grace {
        return Err(NotRestored::WaitsTooBriefly);
    }
    if outage.length() > delta(OUTAGE_TOLERANCE) {
        return Err(NotRestored::OutageTooLong);
    }
    let remaining = later(active_at, for_duration) - outage.from;
    Ok(if remaining <= TimeDelta::zero() {
        active_at
    } else if remaining < grace {
        later(outage.until, grace - for_duration)
    } else {
        later(active_at, outage.length())
    })
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn later(time: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    let beyond = if by < TimeDelta::zero() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    time.checked_add_signed(by).unwrap_or(beyond)
}
