//! For tests of this crate and of its users.

pub mod conformance;
#[cfg(feature = "testing-servers")]
pub mod servers;
