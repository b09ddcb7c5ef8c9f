//! What all chores on Postgres share: names, and sessions.

#[cfg(feature = "postgres")]
mod session;
#[cfg(feature = "postgres")]
mod session_settings;
mod table_name;
#[cfg(feature = "postgres")]
mod watched_worker;

#[cfg(feature = "postgres")]
pub(crate) use session::{Session, code_of, gave_way, label};
#[cfg(feature = "postgres")]
pub(crate) use session_settings::{NO_SESSION_REMEDY, SessionSettings, Unsettled};
pub use table_name::TableName;
pub(crate) use table_name::{check_identifier, quoted};
#[cfg(feature = "postgres")]
pub(crate) use watched_worker::{StatementEnd, WatchedWorker};
