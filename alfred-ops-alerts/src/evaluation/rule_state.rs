//! What evaluations of a rule leave behind.

use super::awaited::Awaited;
use super::outputs::Outputs;
use crate::alert::{Alerts, RuleReport};
use crate::promql::QueryPlan;
use crate::store::Interest;

/// What evaluations of a rule leave behind for the next one.
#[derive(Debug)]
pub(super) struct RuleState {
    pub(super) plan: QueryPlan,
    pub(super) watched: Option<QueryPlan>,
    /// What it is evaluated for when it changes.
    pub(super) reacts_to: Option<Interest>,
    pub(super) alerts: Alerts,
    pub(super) awaited: Awaited,
    pub(super) outputs: Outputs,
    pub(super) report: RuleReport,
}
