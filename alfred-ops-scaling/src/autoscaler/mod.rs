//! The loop between signals, kernel and platform.

#[expect(clippy::module_inception, reason = "one main type per file, and the file is named after it")]
mod autoscaler;
mod constraint;
mod keeper;
mod meters;

pub use autoscaler::Autoscaler;
pub use constraint::Constraint;
#[cfg(any(test, feature = "testing"))]
pub use constraint::MockConstraint;
