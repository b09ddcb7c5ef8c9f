//! What is asked of a store.

use super::key::{check_key, check_value};
use crate::{Error, ErrorKind, Fence, Result};

/// What a document must be for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is none.
    Absent,
    /// It is still at the version that was read.
    Version(u64),
}

/// One conditional write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Write {
    /// The document's name: visible ASCII, at most 512 bytes.
    pub key: String,
    /// Its new content, at most 1 MiB as JSON.
    pub value: serde_json::Value,
    /// What it must be now.
    pub expected: Expected,
    /// Under a lease: refused if somebody newer holds it.
    pub fence: Option<Fence>,
}

impl Write {
    /// Makes a document that must not exist.
    #[must_use]
    pub fn create(key: impl Into<String>, value: serde_json::Value) -> Self {
        Self { key: key.into(), value, expected: Expected::Absent, fence: None }
    }

    /// Replaces a document that must still be at `version`.
    #[must_use]
    pub fn replace(key: impl Into<String>, value: serde_json::Value, version: u64) -> Self {
        Self { key: key.into(), value, expected: Expected::Version(version), fence: None }
    }

    /// The same write under a lease.
    #[must_use]
    pub fn with_fence(mut self, fence: Option<Fence>) -> Self {
        self.fence = fence;
        self
    }

    /// What every store checks first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a bad key, [`ErrorKind::ResourceExhausted`] for too large a value.
    pub fn check(&self) -> Result<()> {
        check_key("put state", &self.key)?;
        check_value("put state", &self.key, &self.value)
    }
}

/// The refusal of a write whose expectation no longer holds.
pub(crate) fn conflict(operation: &'static str, key: &str, expected: Expected) -> Error {
    let what = match expected {
        Expected::Absent => "it exists already".to_owned(),
        Expected::Version(version) => format!("it is no longer at version {version}"),
    };
    Error::new(ErrorKind::Conflict, operation, what)
        .with_target(key)
        .with_remedy("read it again and decide again")
}
