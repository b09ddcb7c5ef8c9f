//! What the example hosts are made of: a private platform, the story told on it, and its proofs.

pub mod console;
pub mod platform;
pub mod proof;
pub mod story;
