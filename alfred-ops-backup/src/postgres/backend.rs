//! Postgres as something that can be captured and restored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{
    ClockExt as _, Error, ErrorKind, Id, JobContext, Lsn, PostgresOptions, Result, TaskSet,
};
use async_trait::async_trait;
use serde_json::json;

use super::base_backup::BaseBackup;
use super::facts::ClusterFacts;
use super::identity::PostgresProbe;
use super::restore;
use super::wal::{Positions, Slot, WalArchiveOptions, WalArchiver, WalRequest, WalStream};
use super::wire::Connection;
use crate::{Backend, Captured, LogRange, RestoreRequest, Restored, SnapshotReader, SnapshotWriter};

/// WAL that a backup needs must be stored within this time after the last file.
const WAL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Where the WAL that makes a backup consistent comes from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum WalSource {
    /// The backup streams it itself, on a second connection, through a temporary slot.
    #[default]
    Own,
    /// A running archiver of the same server and repository stores it anyway.
    Archiver(Arc<WalArchiver>),
}

/// A Postgres cluster, version 15 or newer, captured as a whole over the streaming replication protocol.
///
/// The role needs `LOGIN REPLICATION` and a `host replication` line in `pg_hba.conf`, the server
/// `wal_level = replica` or more and two free `max_wal_senders` and one free slot.
#[derive(Debug, Clone)]
pub struct PostgresBackend {
    server: PostgresOptions,
    wal: WalSource,
}

impl PostgresBackend {
    /// The cluster at `server`.
    #[must_use]
    pub fn new(server: PostgresOptions) -> Self {
        Self { server, wal: WalSource::Own }
    }

    /// The same cluster, its WAL coming from elsewhere.
    #[must_use]
    pub fn with_wal(mut self, wal: WalSource) -> Self {
        self.wal = wal;
        self
    }

    /// Looks whether the server can be backed up, and changes nothing.
    ///
    /// # Errors
    /// What is in the way, with the remedy.
    pub async fn probe(&self, context: &JobContext) -> Result<PostgresProbe> {
        PostgresProbe::ask(&mut Connection::open(&self.server, context).await?).await
    }

    /// A base backup whose WAL an archiver stores.
    async fn capture_beside(
        &self,
        archiver: &WalArchiver,
        snapshot: &mut SnapshotWriter,
        context: &JobContext,
    ) -> Result<Captured> {
        let mut connection = Connection::open(&self.server, context).await?;
        let probe = PostgresProbe::ask(&mut connection).await?;
        let backup = BaseBackup::begin(connection, &context.progress).await?;
        let (start, tablespaces) = (backup.start, backup.tablespaces.clone());
        let end = backup.stream(snapshot).await?;
        bounded(context, archiver.wait_until_stored(end, context)).await?;
        Ok(self.captured(&probe, start, end, tablespaces))
    }

    /// A base backup that streams its own WAL. The slot comes first, so that no WAL that the backup needs
    /// can be removed.
    async fn capture_alone(&self, snapshot: &mut SnapshotWriter, context: &JobContext) -> Result<Captured> {
        let mut wal_connection = Connection::open(&self.server, context).await?;
        let probe = PostgresProbe::ask(&mut wal_connection).await?;
        let id = Id::new(context.now(), &*context.entropy);
        let name = format!("alfred_ops_{}", id.to_string().replace('-', "_"));
        let options = WalArchiveOptions::new(name)?;
        Slot::Temporary(options.slot.clone()).ensure(&mut wal_connection).await?;
        let connection = Connection::open(&self.server, context).await?;
        let backup = BaseBackup::begin(connection, &context.progress).await?;
        if backup.timeline != probe.timeline {
            return Err(Error::new(
                ErrorKind::Conflict,
                "capture",
                "the server changed its timeline meanwhile",
            )
            .with_target(self.server.to_string())
            .with_remedy("take the backup again"));
        }
        let (start, tablespaces) = (backup.start, backup.tablespaces.clone());

        let log = snapshot.repository().log(probe.log_name());
        let from = start.segment_start(probe.segment_bytes);
        let positions = Arc::new(Positions::new());
        let tasks = TaskSet::new(&context.cancel);
        let wal_context = context.clone().with_cancel(tasks.cancel_token().clone());
        let request = WalRequest { timeline: probe.timeline, start: from, log, options };
        let mut streaming =
            tasks.spawn({
                let positions = Arc::clone(&positions);
                async move {
                    WalStream::start(wal_connection, request, &positions, &wal_context).await?.run().await
                }
            });
        let backing_up = async {
            let end = backup.stream(snapshot).await?;
            bounded(context, positions.wait_until_stored(end, context)).await?;
            Ok(end)
        };
        let end = tokio::select! {
            end = backing_up => end,
            // The stream ends by itself only when it fails.
            ended = &mut streaming => Err(ended.and_then(|ended| ended).err().unwrap_or_else(|| {
                Error::new(ErrorKind::Cancelled, "capture", "the caller asked to stop")
            })),
        };
        tasks.shutdown().await;
        Ok(self.captured(&probe, start, end?, tablespaces))
    }

    fn captured(
        &self,
        probe: &PostgresProbe,
        start: Lsn,
        end: Lsn,
        tablespaces: BTreeMap<String, String>,
    ) -> Captured {
        let positions = start.segment_start(probe.segment_bytes).0..end.0;
        Captured::new(self.server.to_string())
            .with_log(LogRange { log: probe.log_name(), positions })
            .with_facts(json!(ClusterFacts {
                version: probe.version,
                system_id: probe.system_id.clone(),
                timeline: probe.timeline,
                segment_bytes: probe.segment_bytes,
                data_checksums: probe.data_checksums,
                start,
                end,
                tablespaces,
            }))
    }
}

async fn bounded(context: &JobContext, wait: impl Future<Output = Result<()>> + Send) -> Result<()> {
    context.clock.timeout(WAL_LIMIT, "wait for WAL", wait).await?
}

#[async_trait]
impl Backend for PostgresBackend {
    fn kind(&self) -> &str {
        "postgres"
    }

    async fn capture(&self, context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured> {
        let capture = async {
            match &self.wal {
                WalSource::Own => self.capture_alone(snapshot, context).await,
                WalSource::Archiver(archiver) => self.capture_beside(archiver, snapshot, context).await,
            }
        };
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => {
                Err(Error::new(ErrorKind::Cancelled, "capture", "the caller asked to stop"))
            }
            captured = capture => captured,
        }
    }

    async fn restore(
        &self,
        context: &JobContext,
        snapshot: &mut SnapshotReader,
        request: &RestoreRequest,
    ) -> Result<Restored> {
        restore::restore(context, snapshot, request).await
    }
}
