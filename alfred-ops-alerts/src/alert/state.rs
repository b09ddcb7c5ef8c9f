//! Where an alert stands.

use std::fmt;

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// Its condition does not hold, and it did not fire.
    Inactive,
    /// Its condition holds, but not yet long enough.
    Pending,
    /// Its condition has held long enough.
    Firing,
    /// It fired, and its condition does not hold any more.
    Resolved,
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        })
    }
}
