//! WAL in segment files.

use std::path::Path;

use alfred_ops_core::{JobContext, ProgressUnit, Result};
use bytes::Bytes;

use super::file_writer::FileWriter;
use crate::postgres::facts::ClusterFacts;
use crate::postgres::wal::{StoredWal, history_file};

/// Places the histories of all timelines: those that are replayed, and the others so that a promotion chooses
/// a number that is free.
pub(super) async fn write_histories(context: &JobContext, wal: &StoredWal, destination: &Path) -> Result<()> {
    let mut writer = FileWriter::start(context);
    for (timeline, text) in wal.timelines().texts().await? {
        let path = destination.join("pg_wal").join(history_file(timeline));
        writer.open(path, 0o600, text.len() as u64).await?;
        writer.write_at(0, text).await?;
    }
    writer.finish().await
}

/// Places WAL in `pg_wal`, in segment files of full length.
pub(super) async fn write_wal(
    context: &JobContext,
    wal: &StoredWal,
    facts: &ClusterFacts,
    destination: &Path,
) -> Result<u64> {
    context.progress.begin("restore WAL", Some(wal.bytes()), ProgressUnit::Bytes);
    let folder = destination.join("pg_wal");
    let mut writer = FileWriter::start(context);
    for part in wal.parts() {
        let mut log = wal.read(part).await?;
        let mut position = part.positions.start;
        while let Some(mut data) = log.next().await? {
            context.check("restore WAL")?;
            context.progress.add(data.len() as u64);
            while !data.is_empty() {
                let into_segment = position % facts.segment_bytes;
                if into_segment == 0 {
                    let path = folder.join(facts.segment_name(part.timeline, position));
                    writer.open(path, 0o600, facts.segment_bytes).await?;
                }
                let room = usize::try_from(facts.segment_bytes - into_segment).unwrap_or(usize::MAX);
                let now: Bytes = data.split_to(room.min(data.len()));
                position += now.len() as u64;
                writer.write_at(into_segment, now).await?;
            }
        }
    }
    writer.finish().await?;
    Ok(wal.bytes())
}
