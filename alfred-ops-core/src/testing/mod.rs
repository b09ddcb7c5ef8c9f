//! For tests of this workspace and of its users.

pub mod conformance;
mod jumping_clock;
mod python;
#[cfg(feature = "testing-servers")]
pub mod servers;

pub use jumping_clock::JumpingClock;
pub use python::Python;
