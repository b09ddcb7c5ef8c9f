//! From a snapshot and a log to a data directory that Postgres starts from.

mod combined_manifest;
mod file_writer;
mod recovery_settings;
mod target_check;

use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, JobContext, ProgressUnit, Result, blocking};
use bytes::Bytes;

use self::file_writer::FileWriter;
use super::base_backup::MANIFEST_FILE;
use super::facts::ClusterFacts;
use crate::{Entry, EntryKind, LogRange, Piece, RecoveryTarget, RestoreRequest, Restored, SnapshotReader};

/// Postgres does not start without it, so it gets its name last.
const CONTROL_FILE: &str = "global/pg_control";
const CONTROL_FILE_DRAFT: &str = "global/pg_control.restoring";
const AUTO_CONF: &str = "postgresql.auto.conf";

pub(super) async fn restore(
    context: &JobContext,
    snapshot: &mut SnapshotReader,
    request: &RestoreRequest,
) -> Result<Restored> {
    let record = snapshot.record().clone();
    let facts = ClusterFacts::read(&record.facts)?;
    let log = record
        .log
        .clone()
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "restore", "the backup's record names no WAL"))?;
    let stored_until = snapshot.repository().log(&log.log).stored_until(log.positions.start).await?;
    target_check::reachable(&request.target, &record, &facts, stored_until)?;
    let folders = Folders::plan(snapshot.entries(), &facts, request)?;
    let destination = request.destination.clone();
    blocking(move || folders.make()).await??;

    let mut restored = write_files(context, snapshot, &destination).await?;
    // A backup's own end is all that the earliest moment needs.
    let until = if request.target == RecoveryTarget::Immediate { facts.end.0 } else { stored_until };
    let wal = LogRange { log: log.log, positions: log.positions.start..until };
    restored.log_bytes = write_wal(context, snapshot, &facts, &wal, &destination).await?;
    let (target, relocated) = (request.target.clone(), request.relocations.clone());
    blocking(move || finish(&destination, relocated.values(), &target)).await??;
    Ok(restored)
}

/// The folders and links that must exist before any file.
struct Folders {
    destination: PathBuf,
    directories: Vec<PathBuf>,
    links: Vec<(PathBuf, PathBuf)>,
}

impl Folders {
    fn plan<'a>(
        entries: impl Iterator<Item = &'a Entry>,
        facts: &ClusterFacts,
        request: &RestoreRequest,
    ) -> Result<Self> {
        let mut folders =
            Self { destination: request.destination.clone(), directories: Vec::new(), links: Vec::new() };
        for entry in entries {
            let path = request.destination.join(&entry.path);
            match &entry.kind {
                EntryKind::Directory => folders.directories.push(path),
                EntryKind::Symlink { target } => {
                    let oid = entry.path.strip_prefix("pg_tblspc/").unwrap_or_default();
                    if !facts.tablespaces.contains_key(oid) {
                        return Err(Error::new(
                            ErrorKind::Corrupt,
                            "restore",
                            format!("{:?} is a link and no tablespace", entry.path),
                        ));
                    }
                    let place = request.relocations.get(target).ok_or_else(|| {
                        Error::new(
                            ErrorKind::InvalidInput,
                            "restore",
                            format!("tablespace {oid} lay in {target:?} and no place is given for it"),
                        )
                        .with_remedy("name an empty folder for it with RestoreRequest::with_relocation")
                    })?;
                    folders.links.push((path, place.clone()));
                }
                EntryKind::File { .. } => {}
            }
        }
        Ok(folders)
    }

    fn make(&self) -> Result<()> {
        for folder in self.links.iter().map(|(_, place)| place).chain([&self.destination]) {
            require_empty(folder)?;
        }
        for folder in self.links.iter().map(|(_, place)| place).chain([&self.destination]) {
            file_writer::make_private_folder(folder)?;
        }
        // Parents come first in the archives, and links lie in a folder of the root.
        let (linked, root): (Vec<_>, Vec<_>) = self
            .directories
            .iter()
            .partition(|folder| self.links.iter().any(|(link, _)| folder.starts_with(link)));
        for folder in root {
            file_writer::make_private_folder(folder)?;
        }
        for (link, place) in &self.links {
            std::os::unix::fs::symlink(place, link).map_err(file_writer::failed("make link", link))?;
        }
        for folder in linked {
            file_writer::make_private_folder(folder)?;
        }
        Ok(())
    }
}

fn require_empty(folder: &Path) -> Result<()> {
    let taken = |what: &str| {
        Error::new(ErrorKind::AlreadyExists, "restore", what)
            .with_target(folder.display().to_string())
            .with_remedy("name an empty folder or one that does not exist")
    };
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(file_writer::failed("look at destination", folder)(error)),
        Ok(_) if folder.join("postmaster.pid").exists() => {
            Err(taken("a Postgres server runs in the destination"))
        }
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(taken("the destination is not empty")),
            None => Ok(()),
        },
    }
}

async fn write_files(
    context: &JobContext,
    snapshot: &mut SnapshotReader,
    destination: &Path,
) -> Result<Restored> {
    let mut writer = FileWriter::start(context);
    let (mut files, mut bytes) = (0, 0);
    while let Some(piece) = snapshot.next().await? {
        match piece {
            Piece::Entry(Entry { path, kind: EntryKind::File { .. }, mode, .. }) => {
                let path = if path == CONTROL_FILE { CONTROL_FILE_DRAFT } else { &path };
                writer.create(destination.join(path), mode).await?;
                files += 1;
            }
            Piece::Entry(_) => {}
            Piece::Data { data, .. } => {
                bytes += data.len() as u64;
                writer.write(data).await?;
            }
        }
    }
    writer.finish().await?;
    Ok(Restored::new(files, bytes, 0))
}

/// Places WAL in `pg_wal`, in segment files of full length.
async fn write_wal(
    context: &JobContext,
    snapshot: &SnapshotReader,
    facts: &ClusterFacts,
    range: &LogRange,
    destination: &Path,
) -> Result<u64> {
    let bytes = range.positions.end - range.positions.start;
    context.progress.begin("restore WAL", Some(bytes), ProgressUnit::Bytes);
    let mut log = snapshot.repository().log(&range.log).read(range.positions.clone()).await?;
    let mut writer = FileWriter::start(context);
    let mut position = range.positions.start;
    while let Some(mut data) = log.next().await? {
        context.check("restore WAL")?;
        context.progress.add(data.len() as u64);
        while !data.is_empty() {
            let into_segment = position % facts.segment_bytes;
            if into_segment == 0 {
                let path = destination.join("pg_wal").join(facts.segment_name(position));
                writer.create(path, 0o600).await?;
            }
            let room = usize::try_from(facts.segment_bytes - into_segment).unwrap_or(usize::MAX);
            let part: Bytes = data.split_to(room.min(data.len()));
            position += part.len() as u64;
            writer.write(part).await?;
        }
    }
    if !position.is_multiple_of(facts.segment_bytes) {
        writer.extend_to(facts.segment_bytes).await?;
    }
    writer.finish().await?;
    Ok(bytes)
}

/// Tells Postgres how far to replay, makes everything durable, and lets it start.
fn finish<'a>(
    destination: &'a Path,
    relocated: impl Iterator<Item = &'a PathBuf>,
    target: &RecoveryTarget,
) -> Result<()> {
    let auto_conf = destination.join(AUTO_CONF);
    let before = match std::fs::read_to_string(&auto_conf) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(file_writer::failed("read settings", &auto_conf))?,
    };
    let settings = recovery_settings::merge(&before, target);
    std::fs::write(&auto_conf, settings).map_err(file_writer::failed("write settings", &auto_conf))?;
    let manifest = destination.join(MANIFEST_FILE);
    let text = std::fs::read(&manifest).map_err(file_writer::failed("read manifest", &manifest))?;
    if let Some(text) = combined_manifest::combined(&text, destination)? {
        std::fs::write(&manifest, text).map_err(file_writer::failed("write manifest", &manifest))?;
    }
    let signal = destination.join("recovery.signal");
    std::fs::write(&signal, "").map_err(file_writer::failed("write recovery.signal", &signal))?;
    for root in relocated.map(PathBuf::as_path).chain([destination]) {
        file_writer::sync_tree(root)?;
    }
    let control = destination.join(CONTROL_FILE);
    std::fs::rename(destination.join(CONTROL_FILE_DRAFT), &control)
        .and_then(|()| std::fs::File::open(destination.join("global"))?.sync_all())
        .map_err(file_writer::failed("publish pg_control", &control))
}
