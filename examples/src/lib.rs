//! What the example hosts are made of: a private platform, the story told on it, and its proofs.

pub mod console;
pub mod platform;
pub mod proof;
pub mod story;

/// The README's code, compiled and run with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
