//! Postgres as something that can be captured and restored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{
    ClockExt as _, Error, ErrorKind, Id, JobContext, Lsn, PostgresOptions, Progress, Result, TaskSet,
};
use async_trait::async_trait;
use serde_json::json;

use super::base_backup::{BaseBackup, MANIFEST_FILE};
use super::engine::{Engine, choose};
use super::facts::ClusterFacts;
use super::identity::PostgresProbe;
use super::restore;
use super::wal::{
    Positions, StreamEnd, Timelines, WalArchiveOptions, WalArchiver, WalRequest, make_temporary, stream_wal,
    wal_log_name,
};
use super::wire::Connection;
use crate::{
    Backend, BackupRecord, Captured, LogRange, Piece, Repository, RestoreRequest, Restored, SnapshotReader,
    SnapshotWriter,
};

const KIND: &str = "postgres";

/// WAL that a backup needs must be stored within this time after the last file.
const WAL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What a record says of a backup whose pages the server was told not to check.
const UNCHECKED: &str = "damaged pages were accepted: the server checked no checksums";

/// An archiver that has ended is started again within this time, or a backup gives up waiting for it.
const RESTART_LIMIT: Duration = Duration::from_secs(60);
const RESTART_POLL: Duration = Duration::from_millis(200);

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

/// A Postgres cluster, version 13 or newer, captured as a whole over the streaming replication protocol.
///
/// The role needs `LOGIN REPLICATION` and a `host replication` line in `pg_hba.conf`, the server
/// `wal_level = replica` or more and two free `max_wal_senders` and one free slot.
#[derive(Debug, Clone)]
pub struct PostgresBackend {
    server: PostgresOptions,
    wal: WalSource,
    accepts_damage: bool,
}

impl PostgresBackend {
    /// The cluster at `server`.
    #[must_use]
    pub fn new(server: PostgresOptions) -> Self {
        Self { server, wal: WalSource::Own, accepts_damage: false }
    }

    /// The same cluster, its WAL coming from elsewhere.
    #[must_use]
    pub fn with_wal(mut self, wal: WalSource) -> Self {
        self.wal = wal;
        self
    }

    /// The same cluster, to be captured even if pages of it are damaged. A server with data checksums otherwise
    /// checks each page that it sends, and the backup fails with the names of the damaged ones. The record's note
    /// says that nothing was checked; [`verify_pages`](Self::verify_pages) finds the pages in the backup.
    #[must_use]
    pub const fn accept_damaged_pages(mut self) -> Self {
        self.accepts_damage = true;
        self
    }

    /// Looks whether the server can be backed up, and changes nothing.
    ///
    /// # Errors
    /// What is in the way, with the remedy.
    pub async fn probe(&self, context: &JobContext) -> Result<PostgresProbe> {
        PostgresProbe::ask(&mut Connection::open(&self.server, context).await?).await
    }

    /// The system identifier of the cluster that a backup holds; `None` for a backup of another kind of service, or whose
    /// record cannot be read.
    #[must_use]
    pub fn system_id_of(record: &BackupRecord) -> Option<String> {
        let facts = (record.backend == KIND).then(|| ClusterFacts::read(&record.facts))?;
        facts.ok().map(|facts| facts.system_id)
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
        let begun = self.begin(connection, &probe, snapshot, context).await?;
        let (start, timeline) = (begun.backup.start, begun.backup.timeline);
        self.same_timeline(timeline, probe.timeline)?;
        let tablespaces = begun.backup.tablespaces.clone();
        let end = begun.backup.stream(snapshot, begun.base.as_ref()).await?;
        bounded(context, stored_beside(archiver, end, context)).await?;
        self.same_timeline(timeline, archiver.timeline())?;
        Ok(self.captured(&probe, begun.note, begun.base.is_some(), start, end, tablespaces))
    }

    /// A base backup that streams its own WAL. The slot comes first, so that no WAL that the backup needs
    /// can be removed.
    async fn capture_alone(&self, snapshot: &mut SnapshotWriter, context: &JobContext) -> Result<Captured> {
        let mut wal_connection = Connection::open(&self.server, context).await?;
        let probe = PostgresProbe::ask(&mut wal_connection).await?;
        let id = Id::new(context.now(), &*context.entropy);
        let name = format!("alfred_ops_{}", id.to_string().replace('-', "_"));
        let options = WalArchiveOptions::new(name)?;
        make_temporary(&options.slot, probe.dialect(), &mut wal_connection).await?;
        let connection = Connection::open(&self.server, context).await?;
        let begun = self.begin(connection, &probe, snapshot, context).await?;
        self.same_timeline(begun.backup.timeline, probe.timeline)?;
        let (start, tablespaces) = (begun.backup.start, begun.backup.tablespaces.clone());

        let timelines = Timelines::new(snapshot.repository().clone(), &probe.system_id);
        let log = timelines.log(probe.timeline);
        let from = start.segment_start(probe.segment_bytes);
        let positions = Arc::new(Positions::new());
        let tasks = TaskSet::new(&context.cancel);
        let wal_context = context.clone().with_cancel(tasks.cancel_token().clone());
        let request = WalRequest {
            server: self.server.clone(),
            timeline: probe.timeline,
            start: from,
            log,
            options,
            lag_alarm: u64::MAX,
        };
        let mut streaming = tasks.spawn({
            let positions = Arc::clone(&positions);
            async move { stream_wal(wal_connection, request, &positions, &wal_context).await }
        });
        let (note, incremental) = (begun.note, begun.base.is_some());
        let backing_up = async {
            let end = begun.backup.stream(snapshot, begun.base.as_ref()).await?;
            bounded(context, positions.wait_until_stored(end, context)).await?;
            Ok(end)
        };
        let end = tokio::select! {
            end = backing_up => end,
            // The stream ends by itself only when it fails or the timeline is left.
            ended = &mut streaming => Err(match ended.flatten() {
                Err(error) => error,
                Ok(StreamEnd::Left { .. }) => self.moved(),
                Ok(StreamEnd::Stopped) => {
                    Error::new(ErrorKind::Cancelled, "capture", "the caller asked to stop")
                }
            }),
        };
        tasks.shutdown().await;
        Ok(self.captured(&probe, note, incremental, start, end?, tablespaces))
    }

    fn same_timeline(&self, one: u32, other: u32) -> Result<()> {
        if one == other { Ok(()) } else { Err(self.moved()) }
    }

    fn moved(&self) -> Error {
        Error::new(ErrorKind::Conflict, "capture", "the server changed its timeline meanwhile")
            .with_target(self.server.to_string())
            .with_remedy("take the backup again")
    }

    /// Begins a base backup: of what has changed where that was asked for and is possible.
    async fn begin(
        &self,
        connection: Connection,
        probe: &PostgresProbe,
        snapshot: &mut SnapshotWriter,
        context: &JobContext,
    ) -> Result<Begun> {
        let of_this_cluster = |record: &BackupRecord| {
            ClusterFacts::read(&record.facts).is_ok_and(|facts| facts.system_id == probe.system_id)
        };
        let verified = !self.accepts_damage;
        snapshot.build_on(self.kind(), of_this_cluster).await?;
        let base = snapshot.base().map(|record| ClusterFacts::read(&record.facts)).transpose()?;
        let (note, connection) = match (choose(snapshot.mode(), probe, base.as_ref()), snapshot.base()) {
            (Engine::Changes, Some(record)) => {
                let manifest = read_manifest(snapshot.repository(), record, context).await?;
                let (dialect, progress) = (probe.dialect(), &context.progress);
                match BaseBackup::begin(connection, dialect, Some(&manifest), verified, progress).await {
                    Ok(backup) => return Ok(Begun { backup, base, note: None }),
                    Err(error) if [ErrorKind::Cancelled, ErrorKind::Unavailable].contains(&error.kind()) => {
                        return Err(error);
                    }
                    Err(error) => {
                        let note =
                            format!("everything was read: the server refused to send changes: {error}");
                        tracing::warn!(error = %error.full(), "reading everything instead of changes");
                        (Some(note), Connection::open(&self.server, context).await?)
                    }
                }
            }
            (Engine::Everything { note }, _) => (note, connection),
            (Engine::Changes, None) => (None, connection),
        };
        let backup =
            BaseBackup::begin(connection, probe.dialect(), None, verified, &context.progress).await?;
        Ok(Begun { backup, base: None, note })
    }

    fn captured(
        &self,
        probe: &PostgresProbe,
        note: Option<String>,
        incremental: bool,
        start: Lsn,
        end: Lsn,
        tablespaces: BTreeMap<String, String>,
    ) -> Captured {
        let positions = start.segment_start(probe.segment_bytes).0..end.0;
        let facts = ClusterFacts {
            version: probe.version,
            system_id: probe.system_id.clone(),
            timeline: probe.timeline,
            segment_bytes: probe.segment_bytes,
            data_checksums: probe.data_checksums,
            start,
            end,
            tablespaces,
        };
        let mut captured = Captured::new(self.server.to_string())
            .with_log(LogRange { log: wal_log_name(&probe.system_id, probe.timeline), positions })
            .with_facts(json!(facts));
        let unchecked = self.accepts_damage.then(|| UNCHECKED.to_owned());
        captured.note = match (note, unchecked) {
            (Some(note), Some(unchecked)) => Some(format!("{note}; {unchecked}")),
            (note, unchecked) => note.or(unchecked),
        };
        if incremental { captured.incremental() } else { captured }
    }
}

/// A base backup that the server has begun.
struct Begun {
    backup: BaseBackup,
    /// The backup that the server sends the changes since.
    base: Option<ClusterFacts>,
    /// Why it sends everything, where less was asked for.
    note: Option<String>,
}

/// The server's manifest of an earlier backup, byte by byte.
async fn read_manifest(
    repository: &Repository,
    record: &BackupRecord,
    context: &JobContext,
) -> Result<Vec<u8>> {
    let mut reader = repository.read(record, &context.clone().with_progress(Progress::new())).await?;
    reader.retain(|entry| entry.path == MANIFEST_FILE);
    let mut manifest = Vec::new();
    while let Some(piece) = reader.next().await? {
        if let Piece::Data { data, .. } = piece {
            manifest.extend_from_slice(&data);
        }
    }
    Ok(manifest)
}

/// Waits until an archiver has stored all before `end`, also over runs that end and are started again: a backup of
/// hours shall not fail because a connection was lost at its end.
async fn stored_beside(archiver: &WalArchiver, end: Lsn, context: &JobContext) -> Result<()> {
    let mut down_since = None;
    loop {
        let before = archiver.stored();
        let Err(error) = archiver.wait_until_stored(end, context).await else { return Ok(()) };
        let now = context.clock.monotonic();
        if archiver.stored() > before {
            down_since = None;
        }
        let down_for = now.saturating_sub(*down_since.get_or_insert(now));
        if error.kind() != ErrorKind::Unavailable || down_for > RESTART_LIMIT {
            return Err(error);
        }
        context.clock.sleep(RESTART_POLL).await;
    }
}

async fn bounded(context: &JobContext, wait: impl Future<Output = Result<()>> + Send) -> Result<()> {
    context.clock.timeout(WAL_LIMIT, "wait for WAL", wait).await?
}

#[async_trait]
impl Backend for PostgresBackend {
    fn kind(&self) -> &str {
        KIND
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
        snapshot: SnapshotReader,
        request: &RestoreRequest,
    ) -> Result<Restored> {
        restore::restore(context, snapshot, request).await
    }
}
