//! From what was found to what is scraped. Pure.

mod drop_reason;
mod resolution;
mod resolve;
mod resolved_target;
mod url_text;

pub use drop_reason::DropReason;
pub use resolution::{DroppedTarget, Resolution};
pub use resolve::resolve;
pub use resolved_target::ResolvedTarget;

#[cfg(test)]
mod tests;
