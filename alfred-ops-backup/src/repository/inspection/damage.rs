//! One object that is not what it must be.

use std::fmt;

use serde::Serialize;

/// One object of a repository that a backup needs and that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// The object's key; that of the folder for a part of a log that no object holds.
    pub key: String,
    /// Whether it is there at all.
    pub kind: DamageKind,
    /// What is wrong with it.
    pub what: String,
}

/// How an object fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DamageKind {
    /// There is none.
    Missing,
    /// Its end is missing.
    Short,
    /// It is not what was written.
    Changed,
}

impl Damage {
    pub(in crate::repository) fn new(
        key: impl Into<String>,
        kind: DamageKind,
        what: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), kind, what: what.into() }
    }

    pub(super) fn missing(key: impl Into<String>) -> Self {
        Self::new(key, DamageKind::Missing, "it is not there")
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}
