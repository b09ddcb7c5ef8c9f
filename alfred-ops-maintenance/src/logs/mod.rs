//! Log files: the host's own, those of other services, and the archive of old ones.

mod active_file;
mod age;
#[cfg(feature = "log-archive")]
mod archive;
mod care;
mod close_time;
mod closed_file;
mod compression;
mod failed_steps;
mod failure;
mod folder_lock;
mod guard;
mod handed;
mod host;
mod journal;
mod keeper;
mod layer;
mod options;
mod pruning;
mod queue;
mod regular_file;
mod rotating_log;
mod setters;
mod shared;
mod stats;
mod whole_lines;

#[cfg(feature = "log-archive")]
pub use archive::{
    ArchivedLogs, ArchivedPiece, FoundLine, LogArchiving, LogArchivingFacts, LogArchivingPlan,
    LogArchivingPolicy, LogPattern, LogRange, LogRestore, LogSearch, plan_log_archiving,
};
pub use care::{
    ClosedLog, LogCare, LogCarePlan, LogCarePolicy, LogFacts, LogStep, ReopenHook, RotateReason, ServiceLog,
    plan_log_care,
};
pub use guard::LogGuard;
pub use options::{Compression, Handover, LogOptions, WhenFull};
pub use rotating_log::RotatingLog;
pub use stats::LogStats;
