//! One value of a secret, over its life.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How far a generation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is made, or was about to be, and nobody else knows it.
    Staged,
    /// Whoever verifies knows it; nobody uses it yet.
    Published,
    /// It is used.
    Active,
    /// It is not used any more by whoever has looked since; what was made with it is still good.
    Retiring,
    /// It is locked and disabled, and could be brought back.
    Revoked,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Staged => "staged",
            Self::Published => "published",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
        })
    }
}

/// One value of a secret, over its life. The value itself is in the secret store and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Generation {
    /// Counts from one.
    pub number: u64,
    /// Under which it was made: unique to one attempt.
    pub id: String,
    /// The highest version of the secret when it was about to be made.
    pub above: u64,
    /// Its version in the secret store; none while it is not known to be there.
    pub version: Option<u64>,
    /// What names it to those who lock or revoke it: a login, the id of a key. Not secret. Empty if
    /// nobody can tell: then it must be revoked by hand.
    pub handle: String,
    /// How far it has come,
    pub phase: Phase,
    /// since when.
    pub since: DateTime<Utc>,
    /// When it became the active one.
    pub active_at: Option<DateTime<Utc>>,
}

/// A generation whose value is destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PastGeneration {
    /// Its number.
    pub number: u64,
    /// The version it had.
    pub version: u64,
    /// What named it.
    pub handle: String,
    /// When it became the active one.
    pub active_at: Option<DateTime<Utc>>,
    /// When it was destroyed.
    pub destroyed_at: DateTime<Utc>,
}
