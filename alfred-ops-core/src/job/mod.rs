//! Long work: when it is due, what it runs with and how it reports.

mod activation;
mod context;
mod due;
mod history;
mod progress;
mod work;

pub use activation::{Activation, Timetable};
pub use context::JobContext;
pub(crate) use due::{Due, JobPolicy, Wanted, due};
pub(crate) use history::{Attempt, JobState};
pub use history::{Outcome, RunRecord, Trigger};
pub use progress::{Progress, ProgressState, ProgressUnit};
#[cfg(any(test, feature = "testing"))]
pub use work::MockJob;
pub use work::{Job, JobReport};
