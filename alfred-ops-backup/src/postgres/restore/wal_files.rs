//! WAL in segment files.

use std::path::Path;

use alfred_ops_core::{JobContext, ProgressUnit, Result};
use bytes::Bytes;

use super::file_writer::FileWriter;
use crate::postgres::facts::ClusterFacts;
use crate::{LogRange, Repository};

/// Places WAL in `pg_wal`, in segment files of full length.
pub(super) async fn write_wal(
    context: &JobContext,
    repository: &Repository,
    facts: &ClusterFacts,
    range: &LogRange,
    destination: &Path,
) -> Result<u64> {
    let bytes = range.positions.end - range.positions.start;
    context.progress.begin("restore WAL", Some(bytes), ProgressUnit::Bytes);
    let mut log = repository.log(&range.log).read(range.positions.clone()).await?;
    let mut writer = FileWriter::start(context);
    let mut position = range.positions.start;
    while let Some(mut data) = log.next().await? {
        context.check("restore WAL")?;
        context.progress.add(data.len() as u64);
        while !data.is_empty() {
            let into_segment = position % facts.segment_bytes;
            if into_segment == 0 {
                let path = destination.join("pg_wal").join(facts.segment_name(position));
                writer.open(path, 0o600, facts.segment_bytes).await?;
            }
            let room = usize::try_from(facts.segment_bytes - into_segment).unwrap_or(usize::MAX);
            let part: Bytes = data.split_to(room.min(data.len()));
            position += part.len() as u64;
            writer.write_at(into_segment, part).await?;
        }
    }
    writer.finish().await?;
    Ok(bytes)
}
