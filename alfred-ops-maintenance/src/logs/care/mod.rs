//! Care of log files that other services write.

mod facts;
mod log_care;
mod look;
mod plan;
mod policy;
mod reopen;
mod step;
mod writers;

#[cfg(test)]
mod tests;

pub use facts::{ClosedLog, LogFacts, ServiceLog};
pub use log_care::LogCare;
#[cfg(feature = "log-archive")]
pub(super) use look::all_logs;
pub use plan::{LogCarePlan, plan_log_care};
pub use policy::LogCarePolicy;
pub use reopen::ReopenHook;
pub use step::{LogStep, RotateReason};
