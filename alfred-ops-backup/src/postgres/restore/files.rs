//! The files of a cluster, from a snapshot to the disk.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_core::{JobContext, Result};

use super::file_writer::{FileWriter, failed};
use super::{CONTROL_FILE, CONTROL_FILE_DRAFT};
use crate::postgres::manifest::Received;
use crate::{BackupMode, Entry, EntryKind, Piece, PresentFiles, Restored, SnapshotReader};

/// Files are written by so many threads, at most: more compete for the same disk.
const WRITERS_MAX: usize = 4;

/// What was written, and of files that came whole their checksums, by their paths.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) restored: Restored,
    pub(super) checksums: HashMap<String, Received>,
}

/// Writes all files, several at once. Where some `may_exist`, only pages that differ are read and written.
pub(super) async fn write_files(
    context: &JobContext,
    snapshot: SnapshotReader,
    destination: &Path,
    may_exist: bool,
) -> Result<Written> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut readers = snapshot.split(processors.min(WRITERS_MAX));
    if may_exist {
        let present: Arc<dyn PresentFiles> = Arc::new(Present(destination.to_owned()));
        readers.iter_mut().for_each(|reader| reader.skip_present(Arc::clone(&present)));
    }
    let shares = readers.into_iter().map(|reader| write_share(context, reader, destination));
    let written = futures::future::try_join_all(shares).await?;
    Ok(written.into_iter().fold(Written::default(), |mut sum, share| {
        sum.restored.files += share.restored.files;
        sum.restored.bytes += share.restored.bytes;
        sum.restored.present_bytes += share.restored.present_bytes;
        sum.checksums.extend(share.checksums);
        sum
    }))
}

async fn write_share(
    context: &JobContext,
    mut reader: SnapshotReader,
    destination: &Path,
) -> Result<Written> {
    // Only the manifest of an incremental backup does not tell what whole files are.
    let tells_checksums = reader.record().mode == BackupMode::Incremental;
    let mut writer = FileWriter::start(context);
    let mut written = Written::default();
    let mut passing: Option<(String, Received)> = None;
    loop {
        let piece = reader.next().await?;
        if !matches!(piece, Some(Piece::Data { .. })) {
            written.checksums.extend(passing.take());
        }
        match piece {
            None => break,
            Some(Piece::Entry(entry)) => {
                if let EntryKind::File { bytes } = entry.kind {
                    writer.open(place(destination, &entry), entry.mode, bytes).await?;
                    written.restored.files += 1;
                    written.restored.bytes += bytes;
                    passing = tells_checksums.then(|| (entry.path, Received::default()));
                }
            }
            Some(Piece::Data { offset, data }) => {
                // What lies there already does not pass by here.
                passing = passing.filter(|(_, received)| received.bytes == offset);
                if let Some((_, received)) = &mut passing {
                    received.add(&data);
                }
                writer.write_at(offset, data).await?;
            }
        }
    }
    writer.finish().await?;
    written.restored.present_bytes = reader.present_bytes();
    Ok(written)
}

/// Where an entry's content is written.
fn place(destination: &Path, entry: &Entry) -> PathBuf {
    destination.join(if entry.path == CONTROL_FILE { CONTROL_FILE_DRAFT } else { &entry.path })
}

/// The files of a cluster that is updated, or of a restore that was interrupted.
#[derive(Debug)]
struct Present(PathBuf);

impl PresentFiles for Present {
    fn open(&self, entry: &Entry) -> Result<Option<File>> {
        let path = place(&self.0, entry);
        match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(failed("compare with destination", &path)),
        }
    }
}
