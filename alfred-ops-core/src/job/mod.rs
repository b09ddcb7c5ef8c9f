//! Long work: what it runs with and how it reports.

mod context;
mod progress;

pub use context::JobContext;
pub use progress::{Progress, ProgressState, ProgressUnit};
