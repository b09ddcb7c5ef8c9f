//! What is kept of a change under way: one document.

use std::path::PathBuf;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, StateStore, Write};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::RestorePoint;
use super::fingerprint::Fingerprint;
use super::plan::DownState;
use super::rows::Rows;

/// How far a change has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// It runs within this backend's transaction, which was not asked to commit.
    InTransaction { pid: i32, backend_start: String, xid: String },
    /// Its transaction was asked to commit, after all checks.
    Committing { pid: i32, backend_start: String, xid: String },
    /// It runs, and others see of it what it pleases; or it has run, and is checked or watched.
    Open,
    /// It is being undone.
    GoingBack { failure: String, committed: bool, down: DownState, aside: Option<PathBuf> },
}

/// A change under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GuardState {
    pub(super) id: String,
    pub(super) change: String,
    pub(super) begun_at: DateTime<Utc>,
    pub(super) point: Option<RestorePoint>,
    pub(super) schema: Fingerprint,
    pub(super) rows: Vec<Rows>,
    /// Migrations that were pending before.
    pub(super) pending: Vec<i64>,
    pub(super) notes: Vec<String>,
    pub(super) stage: Stage,
}

/// The document of the change under way in a database.
#[derive(Debug)]
pub(super) struct StateBook {
    store: Arc<dyn StateStore>,
    key: String,
    version: Option<u64>,
}

impl StateBook {
    pub(super) fn new(store: Arc<dyn StateStore>, key: String) -> Self {
        Self { store, key, version: None }
    }

    /// What is under way, if anything.
    pub(super) async fn read(&mut self) -> Result<Option<GuardState>> {
        let document = self.store.get(&self.key).await?;
        self.version = document.as_ref().map(|document| document.version);
        document.map(|document| document.parse()).transpose()
    }

    /// Writes it over what was read or written last.
    pub(super) async fn write(&mut self, state: &GuardState) -> Result<()> {
        let value = serde_json::to_value(state).map_err(|source| {
            Error::new(ErrorKind::Internal, "write guard", "it is not JSON").with_source(source)
        })?;
        let write = match self.version {
            Some(version) => Write::replace(self.key.clone(), value, version),
            None => Write::create(self.key.clone(), value),
        };
        self.version = Some(self.store.put(&write).await?);
        Ok(())
    }

    /// Forgets it: the change has ended one way or the other.
    pub(super) async fn clear(&mut self) -> Result<()> {
        if let Some(version) = self.version.take() {
            self.store.delete(&self.key, alfred_ops_core::Expected::Version(version), None).await?;
        }
        Ok(())
    }
}
