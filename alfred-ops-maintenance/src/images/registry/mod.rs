//! Images of a registry.

mod challenge;
mod listing;
mod manifest;
mod names;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod registry;
mod removal;
mod tagging;
mod wire;

pub use registry::Registry;
pub use tagging::TagReport;
