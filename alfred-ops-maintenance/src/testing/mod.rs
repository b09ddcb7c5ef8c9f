//! For tests of this crate and of its users.
//!
//! What rollouts and rotations call implements its traits for core's [`Mortal`](alfred_ops_core::testing::Mortal) too, so
//! that their hosts die at a chosen call.

pub mod conformance;
#[cfg(feature = "secrets")]
mod mortal_secrets;
mod mortal_target;
#[cfg(feature = "testing-servers")]
mod secret_manager_server;

#[cfg(feature = "testing-servers")]
pub use secret_manager_server::SecretManagerServer;
