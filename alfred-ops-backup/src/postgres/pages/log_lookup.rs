//! Which suspicious pages the log restores.

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, Result};

use super::page_check::Suspect;
use crate::postgres::facts::ClusterFacts;
use crate::postgres::wal::{Restores, WalReader};
use crate::{BackupRecord, Repository};

/// Takes the pages out of `suspects` that the log restores between the backup's start and end, and returns their
/// number. Reads the log once; stops early when no suspect is left.
pub(super) async fn drop_restored(
    suspects: &mut Vec<Suspect>,
    repository: &Repository,
    record: &BackupRecord,
    facts: &ClusterFacts,
    context: &JobContext,
) -> Result<u64> {
    let range = record
        .log
        .as_ref()
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "verify pages", "the backup's record names no WAL"))?;
    let before = suspects.len();
    let mut log = repository.log(&range.log).read(range.positions.clone()).await?;
    let start = Lsn(range.positions.start);
    let mut reader = WalReader::new(start, facts.segment_bytes, facts.system_id.parse().ok()).with_restores();
    while let Some(data) = log.next().await? {
        context.check("verify pages")?;
        let mut input = &data[..];
        while let Some(record) = reader.next(&mut input).map_err(|error| error.with_target(&range.log))? {
            // Replay begins at the backup's start; what lies before it in the segment is not replayed.
            if record.start >= facts.start && record.end <= facts.end {
                let restored = |page: &Suspect| record.restores.iter().any(|what| restores(what, page));
                suspects.retain(|page| !restored(page));
            }
        }
        if suspects.is_empty() {
            break;
        }
    }
    Ok((before - suspects.len()) as u64)
}

fn restores(what: &Restores, page: &Suspect) -> bool {
    match *what {
        Restores::Page { relation, block } => relation == page.relation && block == page.block,
        Restores::Database { tablespace, database } => {
            (tablespace, database) == (page.relation.tablespace, page.relation.database)
        }
    }
}
