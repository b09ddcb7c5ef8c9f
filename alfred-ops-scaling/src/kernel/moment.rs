//! Moments in four bytes.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Tenths of a second since a state's beginning, counted from one: thirteen years of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Moment(NonZeroU32);

impl Default for Moment {
    /// The beginning.
    fn default() -> Self {
        Self(NonZeroU32::MIN)
    }
}

impl Moment {
    /// When `time` is; the beginning if that is later.
    pub(super) fn of(time: DateTime<Utc>, beginning: DateTime<Utc>) -> Self {
        let tenths = (time - beginning).num_milliseconds().max(0) / 100;
        Self(NonZeroU32::MIN.saturating_add(u32::try_from(tenths).unwrap_or(u32::MAX)))
    }

    /// Seconds from an earlier moment to this one; zero if it is not earlier.
    pub(super) fn since(self, earlier: Self) -> f64 {
        f64::from(self.0.get().saturating_sub(earlier.0.get())) / 10.0
    }

    /// So many seconds earlier; the beginning if that is later.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and not-a-number becomes zero"
    )]
    pub(super) fn earlier_by(self, seconds: f64) -> Self {
        let tenths = (seconds.max(0.0) * 10.0) as u32;
        Self(NonZeroU32::new(self.0.get().saturating_sub(tenths)).unwrap_or(NonZeroU32::MIN))
    }
}
