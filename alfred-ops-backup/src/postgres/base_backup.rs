//! `BASE_BACKUP`: the server streams its data directory as tar archives.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Lsn, Progress, Result};

use super::archives::Archives;
use super::backup_label::IncrementalFrom;
use super::dialect::Dialect;
use super::facts::ClusterFacts;
use super::manifest;
use super::transfer::{Arrival, Transfer};
use super::wire::{self, Connection, Reply, Row};
use crate::SnapshotWriter;

/// The manifest is checked at the end and so kept in memory: some 150 bytes a file.
const MANIFEST_BYTES_MAX: usize = 512 << 20;
/// The server's own list of what it sent, as a file of the data directory.
pub(super) const MANIFEST_FILE: &str = "backup_manifest";
/// The manifest goes to the server in messages of this length.
const UPLOAD_BYTES: usize = 64 << 10;

/// A base backup that the server has begun.
#[derive(Debug)]
pub(super) struct BaseBackup {
    connection: Connection,
    pub(super) start: Lsn,
    pub(super) timeline: u32,
    /// Where each tablespace other than the main one lies, by its oid.
    pub(super) tablespaces: BTreeMap<String, String>,
    pub(super) bytes_estimate: u64,
    transfer: Transfer,
}

impl BaseBackup {
    /// Asks for a base backup and waits for the checkpoint that it starts from. Given the manifest of an
    /// earlier backup, asks for what has changed since. With `verified`, the server checks the checksums of the
    /// pages that it reads, and fails the backup for a wrong one.
    pub(super) async fn begin(
        mut connection: Connection,
        dialect: Dialect,
        since: Option<&[u8]>,
        verified: bool,
        progress: &Progress,
    ) -> Result<Self> {
        if let Some(manifest) = since {
            upload_manifest(&mut connection, manifest).await?;
        }
        connection.start(&dialect.base_backup(since.is_some(), verified)).await?;
        let mut rows = Vec::new();
        loop {
            match connection.next().await? {
                Reply::Row(row) => rows.push(row),
                Reply::CopyOut => break,
                Reply::Complete => {}
                _ => return Err(connection.unexpected("no archives after BASE_BACKUP")),
            }
        }
        let mut rows = rows.into_iter();
        let (start, timeline) = position(&connection, rows.next())?;
        let (mut order, mut tablespaces, mut bytes_estimate) = (Vec::new(), BTreeMap::new(), 0);
        for row in rows {
            let mut columns = row.into_iter();
            let (oid, location) = (columns.next().flatten(), columns.next().flatten());
            // Of the main tablespace neither is told.
            let oid = oid.zip(location).map(|(oid, location)| {
                tablespaces.insert(oid.clone(), location);
                oid
            });
            order.push(oid);
            let kibibytes: u64 = columns.next().flatten().and_then(|size| size.parse().ok()).unwrap_or(0);
            bytes_estimate += kibibytes << 10;
        }
        let transfer = Transfer::new(dialect, order);
        let backup = Self { connection, start, timeline, tablespaces, bytes_estimate, transfer };
        progress.set_total(backup.bytes_estimate);
        Ok(backup)
    }

    /// Streams everything into `snapshot`, compares it with the server's manifest, and returns the position
    /// up to which WAL is needed. `base` is the backup that it must be the changes since.
    pub(super) async fn stream(
        mut self,
        snapshot: &mut SnapshotWriter,
        base: Option<&ClusterFacts>,
    ) -> Result<Lsn> {
        let streamed = self.receive(snapshot, base).await;
        // The error itself, which comes last, tells no file: the warnings before it do.
        streamed.map_err(|error| damaged_pages(error, &self.connection))
    }

    async fn receive(&mut self, snapshot: &mut SnapshotWriter, base: Option<&ClusterFacts>) -> Result<Lsn> {
        let mut archives = Archives::new(snapshot);
        let mut manifest: Option<Vec<u8>> = None;
        // The first is what told that the archives begin.
        let mut reply = Reply::CopyOut;
        loop {
            let arrival = self.transfer.take(reply).map_err(|what| self.connection.unexpected(what))?;
            match (arrival, &mut manifest) {
                (Arrival::Archive(prefix), _) => archives.begin(prefix).await?,
                (Arrival::Manifest, _) => {
                    archives.end().await?;
                    manifest = Some(Vec::new());
                }
                (Arrival::Data(data), None) => archives.feed(&data).await?,
                (Arrival::Data(data), Some(manifest)) => {
                    if manifest.len() + data.len() > MANIFEST_BYTES_MAX {
                        return Err(self.connection.unexpected("a manifest beyond 512 MiB"));
                    }
                    manifest.extend_from_slice(&data);
                }
                (Arrival::Nothing, _) => {}
                (Arrival::End, _) => break,
            }
            reply = self.connection.next().await?;
        }
        let manifest =
            manifest.ok_or_else(|| self.connection.unexpected("a base backup without a manifest"))?;
        manifest::check(&manifest, &archives.received)
            .map_err(|error| error.with_target(self.connection.target()))?;
        let from = archives.incremental_from;
        let wanted = base.map(|base| IncrementalFrom { start: base.start, timeline: base.timeline });
        if from != wanted {
            let what = format!("the server sent changes since {from:?} instead of {wanted:?}");
            return Err(Error::new(ErrorKind::Conflict, "read base backup", what)
                .with_target(self.connection.target())
                .with_remedy("take a full backup"));
        }
        snapshot.begin_file(MANIFEST_FILE, 0o600, 0).await?;
        snapshot.write(&manifest).await?;
        self.end().await
    }

    /// The row after the archives: the position where the backup ends.
    async fn end(&mut self) -> Result<Lsn> {
        let mut end = None;
        loop {
            match self.connection.next().await? {
                Reply::Row(row) => end = Some(row),
                Reply::Ready => return Ok(position(&self.connection, end)?.0),
                _ => {}
            }
        }
    }
}

/// The same error; or one that names the pages, if the server failed the backup for their checksums.
fn damaged_pages(error: Error, connection: &Connection) -> Error {
    let warnings = connection.warnings();
    // Its text may be in any language, its code is not.
    let from_server = error.operation() == wire::OPERATION && error.kind() == ErrorKind::Corrupt;
    if !from_server || warnings.is_empty() {
        return error;
    }
    let what = format!("the server found damaged pages: {}", warnings.join("; "));
    Error::new(ErrorKind::Corrupt, "take base backup", what)
        .with_target(connection.target())
        .with_remedy(
            "check the server's disk; rebuild what these files hold (REINDEX for an index) or restore an earlier \
             backup; to back the cluster up as it is, accept damaged pages \
             (PostgresBackend::accept_damaged_pages, opsctl backup run --accept-damaged-pages)",
        )
        .with_source(error)
}

/// Gives the server the manifest of the backup that the next one builds on.
async fn upload_manifest(connection: &mut Connection, manifest: &[u8]) -> Result<()> {
    connection.start("UPLOAD_MANIFEST").await?;
    loop {
        match connection.next().await? {
            Reply::CopyIn => break,
            Reply::Complete => {}
            _ => return Err(connection.unexpected("no request for data after UPLOAD_MANIFEST")),
        }
    }
    for part in manifest.chunks(UPLOAD_BYTES) {
        connection.send_copy_data(part).await?;
    }
    connection.send_copy_done().await?;
    while !matches!(connection.next().await?, Reply::Ready) {}
    Ok(())
}

fn position(connection: &Connection, row: Option<Row>) -> Result<(Lsn, u32)> {
    let read = || {
        let mut columns = row?.into_iter();
        Some((columns.next()??.parse().ok()?, columns.next()??.parse().ok()?))
    };
    read().ok_or_else(|| connection.unexpected("no position from BASE_BACKUP"))
}
