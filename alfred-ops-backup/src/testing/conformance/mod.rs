//! What every implementation of a trait must do: each function panics with the first breach it finds.

mod backend;
mod blob_store;

pub use backend::backend;
pub use blob_store::blob_store;
