//! What is kept of a change under way: one document.

use std::path::PathBuf;
use std::sync::Arc;

use alfred_ops_core::{Expected, Found, Result, StateCell, StateStore};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::RestorePoint;
use super::begun::Begun;
use super::fingerprint::{Difference, Fingerprint};
use super::plan::DownState;
use super::rows::Rows;
use crate::postgres::Session;

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
    GoingBack {
        failure: String,
        committed: bool,
        /// Whether what can have become visible has touched no rows.
        #[serde(default)]
        spares_rows: bool,
        down: DownState,
        /// The transaction that the way down ran in last.
        #[serde(default)]
        down_run: Option<DownRun>,
        aside: Option<PathBuf>,
    },
}

/// The way down in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DownRun {
    pub(super) transaction: Begun,
    /// Whether it was asked to commit: all of it had run.
    pub(super) is_whole: bool,
}

/// A change under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GuardState {
    pub(super) id: String,
    pub(super) change: String,
    pub(super) begun_at: DateTime<Utc>,
    pub(super) point: Option<RestorePoint>,
    /// The cluster whose log is archived.
    #[serde(default)]
    pub(super) system_id: Option<String>,
    pub(super) schema: Fingerprint,
    pub(super) rows: Vec<Rows>,
    /// Migrations that were pending before.
    pub(super) pending: Vec<i64>,
    pub(super) notes: Vec<String>,
    pub(super) stage: Stage,
}

impl GuardState {
    /// How what is compared differs from what it was: the schema, and why each protected table does, if rows are looked at.
    pub(super) async fn differs(
        &self,
        session: &mut Session,
        with_rows: bool,
    ) -> Result<(Difference, Vec<String>)> {
        let difference = self.schema.differs(&Fingerprint::take(session).await?);
        let mut tables = Vec::new();
        if with_rows {
            for rows in &self.rows {
                tables.extend(rows.differ(session).await?);
            }
        }
        Ok((difference, tables))
    }
}

/// The document of the change under way in a database.
#[derive(Debug)]
pub(super) struct StateBook {
    store: Arc<dyn StateStore>,
    cell: StateCell<GuardState>,
    /// What was read or written last.
    before: Expected,
}

impl StateBook {
    pub(super) fn new(store: Arc<dyn StateStore>, key: String) -> Self {
        Self { cell: StateCell::new(Arc::clone(&store), key), store, before: Expected::Absent }
    }

    /// What is under way, if anything.
    pub(super) async fn read(&mut self) -> Result<Option<GuardState>> {
        let found = self.cell.load().await?;
        self.before = Found::expected(found.as_ref());
        Ok(found.map(|found| found.value))
    }

    /// Writes it over what was read or written last.
    pub(super) async fn write(&mut self, state: &GuardState) -> Result<()> {
        self.before = Expected::Version(self.cell.save("write guard", state, self.before, None).await?);
        Ok(())
    }

    /// Forgets it: the change has ended one way or the other.
    pub(super) async fn clear(&mut self) -> Result<()> {
        let before = std::mem::replace(&mut self.before, Expected::Absent);
        if before != Expected::Absent {
            self.store.delete(self.cell.key(), before, None).await?;
        }
        Ok(())
    }
}
