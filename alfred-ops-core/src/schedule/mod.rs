//! When something is to run. Pure: every function takes its time as an argument.

mod missed_runs;
mod rhythm;
#[expect(clippy::module_inception, reason = "one main type per file, and the file is named after it")]
mod schedule;
#[cfg(test)]
mod tests;
mod window;

pub use missed_runs::MissedRuns;
pub use schedule::Schedule;
pub use window::Window;
