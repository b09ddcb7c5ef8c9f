//! For tests of this crate and of its users.

pub mod conformance;
