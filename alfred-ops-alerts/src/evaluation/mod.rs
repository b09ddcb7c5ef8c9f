//! From samples to alerts and recorded series.

mod alert_labels;
mod awaited;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod evaluation;
mod group_evaluator;
mod outputs;
mod removed;
mod rule_evaluator;
mod rule_state;
mod run;

#[cfg(test)]
mod tests;

pub(crate) use alert_labels::alert_labels;
pub use evaluation::Evaluation;
pub use group_evaluator::GroupEvaluator;
pub(crate) use removed::Removed;
pub use rule_evaluator::RuleEvaluator;
