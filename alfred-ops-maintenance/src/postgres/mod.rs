//! What all chores on Postgres share: names, and sessions.

#[cfg(feature = "postgres")]
mod session;
mod table_name;

#[cfg(feature = "postgres")]
pub(crate) use session::{Session, code_of, gave_way, label};
pub use table_name::TableName;
pub(crate) use table_name::{check_identifier, quoted};
