//! How it stands with a chore. Pure.

use std::time::Duration;

use alfred_ops_core::Status;
use chrono::{DateTime, TimeDelta, Utc};

use super::state::ChoreState;
use super::{Cadence, ChoreOutcome, ChoreRecord, Stop};

/// Doublings of the pause after failures: more do not matter, the period is the limit.
const DOUBLINGS_MAX: u32 = 16;

/// How it stands with a chore.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChoreStanding {
    /// From when on it runs, gates permitting.
    pub due_at: DateTime<Utc>,
    /// Whether the last complete run is too long ago.
    pub overdue: bool,
    /// Why the last complete run did not help, if it did not.
    pub ineffective: Option<String>,
    /// Why somebody paused it, if it is.
    pub paused: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// The end of the last complete run.
    pub completed_at: Option<DateTime<Utc>>,
    /// The last run of any kind.
    pub last: Option<ChoreRecord>,
}

impl ChoreStanding {
    pub(super) fn judge(state: &ChoreState, cadence: &Cadence, now: DateTime<Utc>) -> Self {
        let last = state.history.back();
        let complete = state.history.iter().rev().find(|record| record.outcome.is_complete());
        let ineffective = complete.and_then(|record| match &record.outcome {
            ChoreOutcome::Ineffective { reason } => Some(reason.clone()),
            _ => None,
        });
        Self {
            due_at: due_at(state, cadence),
            overdue: now > after(state.completed_at.unwrap_or(state.since), cadence.overdue_after),
            ineffective,
            paused: state.paused.as_ref().map(|pause| pause.reason.clone()),
            failures: state.failures,
            completed_at: state.completed_at,
            last: last.cloned(),
        }
    }

    /// The standing as the health of a component: degraded while it is overdue, ineffective or failing.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.overdue {
            let since = self.completed_at.map_or_else(|| "never".to_owned(), |time| time.to_string());
            let paused =
                self.paused.as_ref().map_or_else(String::new, |reason| format!("; paused: {reason}"));
            return Status::degraded(format!("overdue: last completed {since}{paused}"));
        }
        match (&self.last, &self.ineffective) {
            (Some(ChoreRecord { outcome: outcome @ ChoreOutcome::Failed { .. }, .. }), _) => {
                Status::degraded(outcome.to_string())
            }
            (_, Some(reason)) => Status::degraded(format!("ineffective: {reason}")),
            _ => Status::Healthy,
        }
    }
}

/// A complete or aborted run rests for a period, a failed one for growing times, and whatever else kept a run from its
/// end is tried again at once.
fn due_at(state: &ChoreState, cadence: &Cadence) -> DateTime<Utc> {
    let Some(last) = state.history.back() else { return state.since };
    match &last.outcome {
        ChoreOutcome::Finished | ChoreOutcome::Ineffective { .. } | ChoreOutcome::Stopped(Stop::Aborted) => {
            after(last.ended_at, cadence.every)
        }
        ChoreOutcome::Failed { .. } => {
            let doublings = state.failures.saturating_sub(1).min(DOUBLINGS_MAX);
            after(last.ended_at, cadence.look.saturating_mul(1 << doublings).min(cadence.every))
        }
        ChoreOutcome::Stopped(_) | ChoreOutcome::Abandoned => last.ended_at,
    }
}

fn after(time: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    time.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
