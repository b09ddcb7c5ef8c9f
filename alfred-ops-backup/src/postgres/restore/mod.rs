//! From a snapshot and a log to a data directory that Postgres starts from.

mod combined_manifest;
mod destination;
mod durable;
mod file_writer;
mod files;
mod recovery_settings;
mod target_check;
mod wal_files;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, ProgressUnit, Result, blocking};

use self::destination::Destination;
use self::files::Written;
use self::recovery_settings::Goal;
use super::base_backup::MANIFEST_FILE;
use super::facts::ClusterFacts;
use super::manifest::Received;
use super::wal::{StoredWal, scan};
use crate::{RecoveryTarget, RestoreRequest, Restored, SnapshotReader};

/// Postgres does not start without it, so it gets its name last.
const CONTROL_FILE: &str = "global/pg_control";
const CONTROL_FILE_DRAFT: &str = "global/pg_control.restoring";
const AUTO_CONF: &str = "postgresql.auto.conf";

pub(super) async fn restore(
    context: &JobContext,
    snapshot: SnapshotReader,
    request: &RestoreRequest,
) -> Result<Restored> {
    let (record, repository) = (snapshot.record().clone(), snapshot.repository().clone());
    let facts = ClusterFacts::read(&record.facts)?;
    let log = record
        .log
        .clone()
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "restore", "the backup's record names no WAL"))?;
    let wal = StoredWal::after(&repository, &facts, log.positions.start, request.timeline).await?;
    target_check::reachable(&request.target, &facts, wal.end())?;
    if let Some(target) = target_check::to_look_for(&request.target) {
        let summary = scan(&wal, &facts, Some(&target), context).await?;
        target_check::found(&target, &facts, &summary)?;
    }
    let destination = Arc::new(Destination::plan(snapshot.entries(), record.id, &facts, request)?);
    let preparing = Arc::clone(&destination);
    let may_exist = blocking(move || preparing.prepare()).await??;
    context.progress.begin("restore", Some(record.stats.raw_bytes), ProgressUnit::Bytes);

    let root = &request.destination;
    let Written { mut restored, checksums } = files::write_files(context, snapshot, root, may_exist).await?;
    // A backup's own end is all that the earliest moment needs.
    let wal = if request.target == RecoveryTarget::Immediate { wal.until(facts.end) } else { wal };
    let timeline = (wal.timeline() != facts.timeline).then_some(wal.timeline());
    let target = request.target.clone();
    let log_command = request.log_command.clone().filter(|_| target != RecoveryTarget::Immediate);
    wal_files::write_histories(context, &wal, root).await?;
    if log_command.is_none() {
        restored.log_bytes = wal_files::write_wal(context, &wal, &facts, root).await?;
    }
    let goal = Goal { target, timeline, log_command };
    let (root, relocated) = (root.clone(), request.relocations.clone());
    blocking(move || finish(&root, &destination, relocated.values(), &goal, &checksums)).await??;
    Ok(restored)
}

/// Tells Postgres how far to replay, makes everything durable, and lets it start.
fn finish<'a>(
    destination: &'a Path,
    made: &Destination,
    relocated: impl Iterator<Item = &'a PathBuf>,
    goal: &Goal,
    checksums: &HashMap<String, Received>,
) -> Result<()> {
    let auto_conf = destination.join(AUTO_CONF);
    let before = match std::fs::read_to_string(&auto_conf) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(file_writer::failed("read settings", &auto_conf))?,
    };
    let settings = recovery_settings::merge(&before, goal);
    std::fs::write(&auto_conf, settings).map_err(file_writer::failed("write settings", &auto_conf))?;
    let manifest = destination.join(MANIFEST_FILE);
    let text = std::fs::read(&manifest).map_err(file_writer::failed("read manifest", &manifest))?;
    if let Some(text) = combined_manifest::combined(&text, checksums, destination)? {
        std::fs::write(&manifest, text).map_err(file_writer::failed("write manifest", &manifest))?;
    }
    let signal = destination.join("recovery.signal");
    std::fs::write(&signal, "").map_err(file_writer::failed("write recovery.signal", &signal))?;
    durable::flush_trees(relocated.map(PathBuf::as_path).chain([destination]))?;
    made.unmark()?;
    let control = destination.join(CONTROL_FILE);
    std::fs::rename(destination.join(CONTROL_FILE_DRAFT), &control)
        .and_then(|()| std::fs::File::open(destination.join("global"))?.sync_all())
        .map_err(file_writer::failed("publish pg_control", &control))
}
