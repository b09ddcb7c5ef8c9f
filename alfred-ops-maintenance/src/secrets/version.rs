//! What a store knows of a secret, without its values.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Whether a version of a secret can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// It can be read.
    Enabled,
    /// It cannot be read until it is enabled again.
    Disabled,
    /// Its value is gone.
    Destroyed,
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Destroyed => "destroyed",
        })
    }
}

/// One version of a secret, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecretVersion {
    /// Counts from one; a later version has a higher number.
    pub number: u64,
    /// Whether it can be read.
    pub state: VersionState,
    /// When it was added, by the store's clock.
    pub added_at: DateTime<Utc>,
}

impl SecretVersion {
    /// A version, as implementations of a store make them.
    #[must_use]
    pub const fn new(number: u64, state: VersionState, added_at: DateTime<Utc>) -> Self {
        Self { number, state, added_at }
    }
}

/// What a store knows of a secret at one moment, without its values. A secret that does not exist has no versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretView {
    /// All versions, oldest first.
    pub versions: Vec<SecretVersion>,
    /// The version that is to be used now.
    pub active: Option<u64>,
    /// Changes at least whenever [`active`](Self::active) does; [`SecretStore::point`](super::SecretStore::point) wants it.
    pub revision: String,
}

impl SecretView {
    /// A view, as implementations of a store make them.
    #[must_use]
    pub fn new(versions: Vec<SecretVersion>, active: Option<u64>, revision: impl Into<String>) -> Self {
        Self { versions, active, revision: revision.into() }
    }

    /// The state of a version, if there is one of that number.
    #[must_use]
    pub fn state_of(&self, number: u64) -> Option<VersionState> {
        self.versions.iter().find(|version| version.number == number).map(|version| version.state)
    }

    /// When a version was added, if there is one of that number.
    pub(super) fn added_at(&self, number: u64) -> Option<DateTime<Utc>> {
        self.versions.iter().find(|version| version.number == number).map(|version| version.added_at)
    }

    /// The highest number of any version, zero without one.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.versions.iter().map(|version| version.number).max().unwrap_or(0)
    }

    /// Judges a change of a version's state by the rules that all stores share. `Ok(false)`: it is so already.
    ///
    /// # Errors
    /// As [`SecretStore::set_state`](super::SecretStore::set_state).
    pub fn judge(
        &self,
        store: &str,
        secret: &str,
        version: u64,
        state: VersionState,
    ) -> alfred_ops_core::Result<bool> {
        use VersionState::{Destroyed, Disabled, Enabled};

        use super::store::{missing, refused};
        const OPERATION: &str = "change secret version";
        let Some(now) = self.state_of(version) else {
            return Err(missing(OPERATION, store, secret, version));
        };
        let fault = match (now, state) {
            (now, state) if now == state => return Ok(false),
            (Destroyed, _) => ("it is destroyed", "add a new version"),
            (Enabled, Destroyed) => {
                ("it is enabled", "disable it, see that nobody misses it, then destroy it")
            }
            (Enabled, Disabled) if self.active == Some(version) => {
                ("it is the active one", "make another version the active one first")
            }
            (Enabled | Disabled, Enabled | Disabled | Destroyed) => return Ok(true),
        };
        Err(refused(OPERATION, store, secret, version, fault.0, fault.1))
    }
}
