//! For tests of this workspace and of its users.

pub mod conformance;
#[cfg(feature = "testing-servers")]
pub mod servers;
