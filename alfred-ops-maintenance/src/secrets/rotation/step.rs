//! What is done next, and why.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One step of a rotation. It may be repeated after a crash at any point of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RotationStep {
    /// Takes the version that is in use into care.
    Adopt {
        /// The version.
        version: u64,
    },
    /// Makes a generation and puts its value into the secret store.
    Stage {
        /// Its number.
        generation: u64,
    },
    /// Withdraws what is left of a generation that is not used yet, and makes it anew.
    Restage {
        /// Its number.
        generation: u64,
    },
    /// Makes it valid, and verifies that it works.
    Publish {
        /// Its number.
        generation: u64,
    },
    /// Makes it the one that is used.
    Activate {
        /// Its number.
        generation: u64,
    },
    /// Makes one that was used before the active one again, after it was seen to work.
    Return {
        /// Its number.
        generation: u64,
    },
    /// Locks it and disables its version, after the active one was seen to work.
    Revoke {
        /// Its number.
        generation: u64,
    },
    /// Revokes it for good and destroys its value, after the active one was seen to work, and the old one to be out of use.
    Destroy {
        /// Its number.
        generation: u64,
    },
}

impl fmt::Display for RotationStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adopt { version } => write!(f, "take version {version} into care"),
            Self::Stage { generation } => write!(f, "make generation {generation}"),
            Self::Restage { generation } => {
                write!(f, "withdraw what is left of generation {generation} and make it anew")
            }
            Self::Publish { generation } => write!(f, "publish and verify generation {generation}"),
            Self::Activate { generation } => write!(f, "verify and activate generation {generation}"),
            Self::Return { generation } => write!(f, "verify generation {generation} and return to it"),
            Self::Revoke { generation } => write!(f, "lock and disable generation {generation}"),
            Self::Destroy { generation } => write!(f, "destroy generation {generation}"),
        }
    }
}

/// Why a step is done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotationReason {
    /// There is none yet.
    First,
    /// It was in use before anybody cared for it.
    Found,
    /// The active one has been used for so long.
    Due(Duration),
    /// Somebody wants it.
    Wanted(String),
    /// The value of the active one cannot be read any more.
    Lost,
    /// The active one can be read and does not work any more.
    Refused,
    /// The value of one that is not used yet cannot be read any more.
    Unreadable,
    /// It is the active one in the store again.
    Again,
    /// The host died, or failed, while it was made or locked.
    Unfinished,
    /// The step before it is done.
    Next,
    /// All caches have had time to read it.
    Known,
    /// All caches and tokens have had time to expire, and nobody uses it.
    Unused,
    /// Nobody missed it.
    NotMissed,
}

impl fmt::Display for RotationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("there is none yet"),
            Self::Found => f.write_str("it is in use"),
            Self::Due(age) => write!(f, "the active one is {} days old", age.as_secs() / 86_400),
            Self::Wanted(reason) => write!(f, "wanted: {reason}"),
            Self::Lost => f.write_str("the active version cannot be read any more"),
            Self::Refused => f.write_str("the active one does not work any more"),
            Self::Unreadable => f.write_str("its version cannot be read any more"),
            Self::Again => f.write_str("it is the active one again"),
            Self::Unfinished => f.write_str("a former attempt did not come to its end"),
            Self::Next => f.write_str("the step before is done"),
            Self::Known => f.write_str("all caches have had time to read it"),
            Self::Unused => f.write_str("caches and tokens have expired, and nobody uses it"),
            Self::NotMissed => f.write_str("nobody missed it"),
        }
    }
}

/// What is decided for one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Do(RotationStep, RotationReason),
    Wait {
        until: DateTime<Utc>,
        what: &'static str,
    },
    /// Until somebody else is done, at an unknown time.
    Patience(String),
    Blocked(String),
}
