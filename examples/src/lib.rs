//! What the example programs are made of: a private platform, the story told on it, its proofs, and `opsctl`.

pub mod chaos;
pub mod console;
pub mod opsctl;
pub mod platform;
pub mod proof;
pub mod story;

/// The README's code, compiled and run with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
