//! For tests of this workspace and of its users.

pub mod conformance;
mod jumping_clock;
#[cfg(feature = "testing-servers")]
pub mod servers;

pub use jumping_clock::JumpingClock;
