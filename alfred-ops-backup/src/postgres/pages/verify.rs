//! Reading a backup and checking its pages.

use alfred_ops_core::{JobContext, ProgressUnit, Result};

use super::log_lookup::drop_restored;
use super::page_check::PageCheck;
use super::{DamagedPage, PageReport};
use crate::postgres::facts::ClusterFacts;
use crate::{BackupRecord, EntryKind, Piece, Repository};

/// Reads every file of a backup, checks every byte as the repository knows it and every page as Postgres does.
pub(in crate::postgres) async fn verify_pages(
    repository: &Repository,
    record: &BackupRecord,
    context: &JobContext,
) -> Result<PageReport> {
    let facts = ClusterFacts::read(&record.facts)?;
    context.progress.begin("verify", Some(record.stats.raw_bytes), ProgressUnit::Bytes);
    let mut reader = repository.read(record, context).await?;
    reader.check_hashes();
    let mut report = PageReport { checksums: facts.data_checksums, ..PageReport::default() };
    let mut check = PageCheck::new(facts.start, facts.end);
    while let Some(piece) = reader.next().await? {
        match piece {
            Piece::Entry(entry) => {
                report.files += u64::from(matches!(entry.kind, EntryKind::File { .. }));
                if facts.data_checksums {
                    check.begin(&entry.path);
                }
            }
            Piece::Data { data, .. } => {
                report.raw_bytes += data.len() as u64;
                check.add(&data);
            }
        }
    }
    check.end();
    if !check.suspects.is_empty() {
        let restored = drop_restored(&mut check.suspects, repository, record, &facts, context).await?;
        report.torn_pages = restored;
    }
    report.pages = check.pages;
    report.new_pages = check.new_pages;
    report.torn_pages += check.torn_pages;
    report.damaged_unlisted = check.suspects_unlisted;
    let damaged = check.suspects.into_iter();
    report.damaged = damaged
        .map(|page| DamagedPage { path: page.path, block: page.file_block, changed: page.changed })
        .collect();
    Ok(report)
}
