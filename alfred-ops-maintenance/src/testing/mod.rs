//! For tests of this crate and of its users.

pub mod conformance;
#[cfg(feature = "testing-servers")]
mod secret_manager_server;

#[cfg(feature = "testing-servers")]
pub use secret_manager_server::SecretManagerServer;
