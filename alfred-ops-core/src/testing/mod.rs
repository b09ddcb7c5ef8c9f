//! For tests of this workspace and of its users.

pub mod conformance;
mod fuse;
mod jumping_clock;
mod mortal;
mod python;
#[cfg(feature = "testing-servers")]
pub mod servers;

pub use fuse::{Fate, Fuse, Witness};
pub use jumping_clock::JumpingClock;
pub use mortal::Mortal;
pub use python::Python;
