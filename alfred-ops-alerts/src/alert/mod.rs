//! Alerts: what rules have found, and how that changes over time.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod alert;
mod book;
mod evaluation;
mod report;
mod state;
mod transition;

pub use alert::Alert;
pub use book::AlertBook;
pub use evaluation::{Evaluation, RESOLVED_RETENTION, evaluate};
pub use report::{RuleHealth, RuleReport};
pub use state::AlertState;
pub use transition::{Reason, Transition};
