//! Alerts: what rules have found, and how that changes over time.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod alert;
mod book;
mod report;
mod state;
mod step;
mod transition;

pub use alert::Alert;
pub use book::AlertBook;
pub use report::{RuleHealth, RuleReport};
pub use state::AlertState;
pub use step::RESOLVED_RETENTION;
pub use transition::{Reason, Transition};

pub(crate) use step::{Alerts, Held, Step};
