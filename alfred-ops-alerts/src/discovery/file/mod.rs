//! Targets that are written down in files.

mod file_discovery;
mod list;
mod pattern;

pub use file_discovery::FileDiscovery;

pub(crate) use pattern::files;
