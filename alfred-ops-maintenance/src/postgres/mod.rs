//! What all chores on Postgres share: names, and sessions.

#[cfg(feature = "postgres")]
mod chore_name;
#[cfg(feature = "postgres")]
mod session;
#[cfg(feature = "postgres")]
mod session_settings;
#[cfg(feature = "postgres")]
mod step_failures;
mod table_name;
#[cfg(feature = "postgres")]
mod watched_worker;

#[cfg(feature = "postgres")]
pub(crate) use chore_name::chore_name;
#[cfg(feature = "postgres")]
pub(crate) use session::{Session, code_of, gave_way, label};
#[cfg(feature = "postgres")]
pub(crate) use session_settings::{NO_SESSION_REMEDY, SEES_ALL, SessionSettings, Unsettled};
#[cfg(feature = "postgres")]
pub(crate) use step_failures::StepFailures;
pub use table_name::TableName;
pub(crate) use table_name::{check_identifier, quoted};
#[cfg(feature = "postgres")]
pub(crate) use watched_worker::{StatementEnd, WatchedWorker};
