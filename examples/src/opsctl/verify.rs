//! `opsctl backup verify`.

use alfred_ops_backup::{
    BackupRecord, Inspection, InspectionDepth, PageReport, PostgresBackend, Repository, WalSummary,
};
use alfred_ops_core::{ErrorKind, Id, JobContext, PostgresOptions, Result};
use indicatif::HumanBytes;
use serde_json::json;

use super::arguments::Which;
use super::backup::ids;
use super::place::Place;
use super::report::Report;
use crate::console::Console;

/// Damaged pages that are printed.
const PAGES_PRINTED: usize = 50;
/// What damaged objects show as while they are read.
const MAY_BE_DAMAGE: [ErrorKind; 3] = [ErrorKind::Corrupt, ErrorKind::NotFound, ErrorKind::InvalidInput];

pub(super) async fn run(
    place: &Place,
    which: &Which,
    structure: bool,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let repository = place.open().await?;
    let mut reports = Vec::new();
    for id in ids(&repository, which).await? {
        let verified = async {
            if structure {
                let found = repository.inspect(id, InspectionDepth::Structure, context).await?;
                return Ok(of_inspection(&found));
            }
            one(&repository, id, context).await
        };
        reports.push(Box::pin(console.watch(&context.progress, verified)).await?);
    }
    if reports.is_empty() {
        return Ok(Report::new("there are no backups", json!([])));
    }
    Ok(Report::join(reports))
}

/// Reads everything as a restore would. Only where that fails is everything looked at again, object by object.
async fn one(repository: &Repository, id: Id, context: &JobContext) -> Result<Report> {
    let quick = repository.inspect(id, InspectionDepth::Structure, context).await?;
    let mut failed = None;
    if quick.is_whole() {
        match content(repository, id, context).await {
            Ok((record, pages, log)) => return Ok(of_content(&record, &pages, &log)),
            Err(error) if !MAY_BE_DAMAGE.contains(&error.kind()) => return Err(error),
            Err(error) => failed = Some(error),
        }
    }
    let found = repository.inspect(id, InspectionDepth::Content, context).await?;
    match failed {
        Some(error) if found.is_whole() => Err(error),
        _ => Ok(of_inspection(&found)),
    }
}

async fn content(
    repository: &Repository,
    id: Id,
    context: &JobContext,
) -> Result<(BackupRecord, PageReport, WalSummary)> {
    let record = repository.backup(id).await?;
    // Nothing of this asks a server.
    let backend = PostgresBackend::new(PostgresOptions::new("localhost", "postgres"));
    let pages = backend.verify_pages(repository, &record, context).await?;
    let log = backend.verify_wal(repository, &record, context).await?;
    Ok((record, pages, log))
}

fn of_inspection(found: &Inspection) -> Report {
    let mut json = json!(found);
    json["whole"] = json!(found.is_whole());
    let text = if found.is_whole() {
        let how = match found.depth {
            InspectionDepth::Structure => "is there in full length; its content was not read",
            _ => "is whole",
        };
        format!(
            "backup {} {how}: {} objects, {}",
            found.backup,
            found.objects,
            HumanBytes(found.stored_bytes)
        )
    } else {
        let lines: Vec<String> = found.damages.iter().map(|damage| format!("! {damage}")).collect();
        format!(
            "backup {} is damaged:\n{}\nmend it with opsctl backup repair {} --from URL, or take a new backup with \
             --full --independent",
            found.backup,
            lines.join("\n"),
            found.backup
        )
    };
    Report::new(text, json).failed_if(!found.is_whole())
}

fn of_content(record: &BackupRecord, pages: &PageReport, log: &WalSummary) -> Report {
    let log_bytes = record.log.as_ref().map_or(0, |log| log.positions.end - log.positions.start);
    let last_commit = log.last_commit_at.map_or("no commit".to_owned(), |at| format!("last commit {at}"));
    let damaged = pages.damaged.len() as u64 + pages.damaged_unlisted;
    let of_pages = match (pages.checksums, damaged) {
        (false, _) => {
            "the cluster keeps no page checksums: only what the repository knows was checked".to_owned()
        }
        (true, 0) => format!(
            "the checksums of all {} pages are right; {} were being written, and the log restores them",
            pages.pages, pages.torn_pages
        ),
        (true, _) => {
            let named = pages.damaged.iter().take(PAGES_PRINTED);
            let mut lines: Vec<String> =
                named.map(|page| format!("! {}: block {} is damaged", page.path, page.block)).collect();
            lines.push(format!(
                "{damaged} of {} pages are as damaged as they were on the server's disk: check that disk, rebuild \
                 what these files hold or restore an earlier backup",
                pages.pages
            ));
            lines.join("\n")
        }
    };
    let text = format!(
        "backup {} is stored whole: {} in {} files and {} of log, every byte read and checked\n{of_pages}\n\
         the log goes on to {}: {} records, {last_commit}",
        record.id,
        HumanBytes(pages.raw_bytes),
        pages.files,
        HumanBytes(log_bytes),
        log.until,
        log.records,
    );
    let json = json!({
        "backup": record.id, "whole": damaged == 0, "damages": [], "files": pages.files,
        "raw_bytes": pages.raw_bytes, "log_bytes": log_bytes, "log": log, "pages": pages,
    });
    Report::new(text, json).failed_if(damaged > 0)
}
