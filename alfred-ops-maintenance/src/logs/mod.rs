//! The host's own log file.

mod active_file;
mod closed_file;
mod guard;
mod keeper;
mod layer;
mod options;
mod pruning;
mod queue;
mod rotating_log;
mod shared;
mod stats;

pub use guard::LogGuard;
pub use options::{Compression, Handover, LogOptions, WhenFull};
pub use rotating_log::RotatingLog;
pub use stats::LogStats;
