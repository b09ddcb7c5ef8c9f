//! For tests of this workspace and of its users.

#[cfg(feature = "testing-servers")]
pub mod servers;
