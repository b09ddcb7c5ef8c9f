//! Rules: when there is an alert, and what a person is told; what is recorded.

mod asked;
mod brief;
mod checked_rule;
mod own_metrics;
mod recording_rule;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod rule;
mod rule_group;
mod rule_set;
mod template;

pub use brief::{BriefThresholds, brief_rules, brief_rules_with};
pub use recording_rule::RecordingRule;
pub use rule::Rule;
pub use rule_group::{GroupRule, RuleGroup};
pub use rule_set::RuleSet;

pub(crate) use checked_rule::{ALERT_NAME, AlertPart, CheckedRule};
pub(crate) use own_metrics::{Home, OwnMetrics};
pub(crate) use rule_set::CheckedGroup;
pub(crate) use template::Template;
