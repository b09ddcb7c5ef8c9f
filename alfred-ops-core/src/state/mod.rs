//! Small durable documents that change by compare-and-set.

mod document;
mod key;
mod memory;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
mod state_cell;
mod store;
mod write;

pub use document::Document;
pub use memory::MemoryStateStore;
#[cfg(feature = "postgres")]
pub use sql::PostgresStateStore;
#[cfg(feature = "sqlite")]
pub use sql::SqliteStateStore;
pub use state_cell::{Found, StateCell};
#[cfg(any(test, feature = "testing"))]
pub use store::MockStateStore;
pub use store::{LIST_LIMIT_MAX, StateStore};
pub use write::{Expected, Write};
