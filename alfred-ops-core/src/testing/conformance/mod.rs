//! What every implementation of a trait must do: each function panics with the first breach it finds.

mod lease_store;
mod state_store;

pub use lease_store::lease_store;
pub use state_store::state_store;
