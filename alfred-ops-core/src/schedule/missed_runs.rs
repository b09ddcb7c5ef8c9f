//! What happens to slots that nobody ran.

use std::time::Duration;

/// What happens to slots that passed while no host was running, or while an earlier run took too long. Those
/// that do not run are counted as skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissedRuns {
    /// They are gone. The newest still runs if it is no older than this grace.
    Skip {
        /// How late a start may be.
        grace: Duration,
    },
    /// The newest runs, however old; the others are gone.
    #[default]
    FireOnce,
    /// They run one after another, oldest first.
    CatchUp {
        /// At most so many at once; of more, the newest.
        max: usize,
        /// None older than this.
        window: Duration,
    },
}
