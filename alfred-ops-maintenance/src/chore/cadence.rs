//! How often.

use std::time::Duration;

/// Looks per period, within the two limits below.
const LOOKS_PER_PERIOD: u32 = 20;
const LOOK_MIN: Duration = Duration::from_secs(60);
const LOOK_MAX: Duration = Duration::from_secs(600);

/// How often a chore is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cadence {
    /// From the end of one complete run to the beginning of the next.
    pub every: Duration,
    /// Without a complete run for so long it is overdue, also while it is paused.
    pub overdue_after: Duration,
    /// How often it is looked whether the chore is due and its gates are open. A run that could not begin, or had to
    /// stop, is tried again at the next look, not a period later.
    pub look: Duration,
}

impl Cadence {
    /// Every so often, overdue after two periods.
    #[must_use]
    pub fn every(every: Duration) -> Self {
        Self {
            every,
            overdue_after: every.saturating_mul(2),
            look: (every / LOOKS_PER_PERIOD).clamp(LOOK_MIN, LOOK_MAX),
        }
    }

    /// Every seven days, as the guide has it for VACUUM.
    #[must_use]
    pub fn weekly() -> Self {
        Self::every(Duration::from_secs(7 * 24 * 3600))
    }

    /// Overdue after another time.
    #[must_use]
    pub const fn with_overdue_after(mut self, overdue_after: Duration) -> Self {
        self.overdue_after = overdue_after;
        self
    }

    /// Looks as often as this.
    #[must_use]
    pub const fn with_look(mut self, look: Duration) -> Self {
        self.look = look;
        self
    }
}
