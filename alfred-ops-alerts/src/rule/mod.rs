//! Rules: when an alert begins, how long it must hold, what it says.

mod brief;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod rule;
mod rule_set;
mod template;

pub use brief::{BriefThresholds, brief_rules, brief_rules_with};
pub use rule::Rule;
pub use rule_set::RuleSet;

pub(crate) use rule_set::{ALERT_NAME, CheckedRule};

pub(crate) use template::Template;
