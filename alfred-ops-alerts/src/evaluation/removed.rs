//! A rule that is no more.

use chrono::{DateTime, Utc};

use super::outputs::Outputs;
use super::rule_state::RuleState;
use crate::alert::{AlertState, Alerts, Reason, Transition};
use crate::store::SampleStore;

/// A rule that is no more, and what its evaluations left behind.
#[derive(Debug)]
pub(crate) struct Removed {
    alerts: Alerts,
    outputs: Outputs,
}

impl From<RuleState> for Removed {
    fn from(RuleState { alerts, outputs, .. }: RuleState) -> Self {
        Self { alerts, outputs }
    }
}

impl Removed {
    /// Ends the series that the rule wrote, and its alerts.
    pub(crate) fn end(self, store: &mut SampleStore, now: DateTime<Utc>, transitions: &mut Vec<Transition>) {
        self.outputs.end(store, now.timestamp_millis());
        for alert in self.alerts.into_values() {
            let to = match alert.state {
                AlertState::Pending => AlertState::Inactive,
                AlertState::Firing => AlertState::Resolved,
                AlertState::Inactive | AlertState::Resolved => continue,
            };
            transitions.push(Transition {
                labels: alert.labels,
                from: alert.state,
                to,
                reason: Reason::RuleRemoved,
                at: now,
                value: alert.value,
            });
        }
    }
}
