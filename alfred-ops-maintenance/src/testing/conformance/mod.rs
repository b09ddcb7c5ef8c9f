//! What every implementation of a trait of this crate passes.

#[cfg(feature = "secrets")]
mod secret_store;

#[cfg(feature = "secrets")]
pub use secret_store::secret_store;
