//! From samples to alerts and recorded series.

mod alert_labels;
mod answers;
mod asking;
mod awaited;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod evaluation;
mod explaining;
mod group_evaluator;
mod outputs;
mod posting;
mod progress;
mod rehearsing;
mod removed;
mod rule_evaluator;
mod rule_state;
mod run;
mod source_oracle;

#[cfg(test)]
mod tests;

pub(crate) use alert_labels::alert_labels;
pub(crate) use answers::{Answers, ROUNDS_MAX};
pub use evaluation::Evaluation;
pub use group_evaluator::GroupEvaluator;
pub(crate) use posting::Posting;
pub(crate) use progress::Progress;
pub(crate) use removed::Removed;
pub use rule_evaluator::RuleEvaluator;
