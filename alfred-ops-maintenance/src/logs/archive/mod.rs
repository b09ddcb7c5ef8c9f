//! The archive of old log files.

mod archived_logs;
mod archived_piece;
mod archiving;
mod archiving_plan;
mod json_time;
mod line_time;
mod pattern;
mod pieces;
mod range;
mod reports;
mod storing;

pub use archived_logs::ArchivedLogs;
pub use archived_piece::ArchivedPiece;
pub use archiving::LogArchiving;
pub use archiving_plan::{LogArchivingFacts, LogArchivingPlan, LogArchivingPolicy, plan_log_archiving};
pub use pattern::LogPattern;
pub use range::LogRange;
pub use reports::{FoundLine, LogRestore, LogSearch};
