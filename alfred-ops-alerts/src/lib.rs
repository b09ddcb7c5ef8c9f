//! Alerts for the agent platform.

mod alert;
mod expr;
mod rule;
mod store;

pub use alert::{
    Alert, AlertBook, AlertState, Evaluation, RESOLVED_RETENTION, Reason, RuleHealth, RuleReport, Transition,
    evaluate,
};
pub use expr::{Aggregation, Arithmetic, Comparison, Expr, Moment, Outcome, Reading};
pub use rule::{BriefThresholds, Rule, RuleSet, brief_rules, brief_rules_with};
pub use store::{Appended, Matcher, Point, SampleStore, Selector, Series, StoreCounters, StoreLimits};
