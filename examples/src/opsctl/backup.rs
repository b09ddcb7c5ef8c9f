//! `opsctl backup …`.

use alfred_ops_backup::{BackupRecord, BackupRequest, PostgresBackend, Repository, RetentionPolicy};
use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result, Secret};
use indicatif::HumanBytes;
use serde_json::json;

use super::place::Place;
use super::report::{Report, line, paragraph};
use crate::console::Console;

pub(super) async fn run(
    place: &Place,
    server: &PostgresOptions,
    full: bool,
    independent: bool,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let repository = place.open_or_create(context).await?;
    let mut server = server.clone();
    if let (None, Ok(password)) = (&server.password, std::env::var("PGPASSWORD")) {
        server.password = Some(Secret::new(password));
    }
    let request = match (full, independent) {
        (_, true) => BackupRequest::full().independent(),
        (true, false) => BackupRequest::full(),
        (false, false) => BackupRequest::incremental(),
    };
    let backend = PostgresBackend::new(server);
    let backup = repository.run_backup(&backend, request, context);
    let record = Box::pin(console.watch(&context.progress, backup)).await?;
    Ok(Report::new(paragraph(&record), json!(record)))
}

pub(super) async fn list(place: &Place) -> Result<Report> {
    let records = place.open().await?.backups().await?;
    let lines: Vec<String> = records.iter().map(line).collect();
    let text = if lines.is_empty() { "there are no backups".to_owned() } else { lines.join("\n") };
    Ok(Report::new(text, json!(records)))
}

pub(super) async fn show(place: &Place, backup: &str) -> Result<Report> {
    let record = find(&place.open().await?, backup).await?;
    Ok(Report::new(paragraph(&record), json!(record)))
}

pub(super) async fn verify(
    place: &Place,
    backup: &str,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let repository = place.open().await?;
    let record = find(&repository, backup).await?;
    let verified = console.watch(&context.progress, repository.verify(&record, context)).await?;
    // Reading the log asks no server for anything.
    let backend = PostgresBackend::new(PostgresOptions::new("localhost", "postgres"));
    let log = Box::pin(console.watch(&context.progress, backend.verify_wal(&repository, &record, context)));
    let log = log.await?;
    let last_commit = log.last_commit_at.map_or("no commit".to_owned(), |at| format!("last commit {at}"));
    let text = format!(
        "backup {} is whole: {} in {} files and {} of log, every byte read and checked\n\
         the log goes on to {}: {} records, {last_commit}",
        record.id,
        HumanBytes(verified.raw_bytes),
        verified.files,
        HumanBytes(verified.log_bytes),
        log.until,
        log.records,
    );
    let json = json!({
        "backup": record.id, "whole": true, "files": verified.files,
        "raw_bytes": verified.raw_bytes, "log_bytes": verified.log_bytes, "log": log,
    });
    Ok(Report::new(text, json))
}

pub(super) async fn prune(
    place: &Place,
    policy: &RetentionPolicy,
    dry_run: bool,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let repository = place.open().await?;
    if dry_run {
        let plan = repository.plan_retention(policy, context).await?;
        return Ok(Report::new(plan.to_string().trim_end(), json!(plan.verdicts)));
    }
    let pruned = console.watch(&context.progress, repository.prune(policy, context)).await?;
    let text = format!(
        "{} backups forgotten; {} objects marked, {} removed, {} locked",
        pruned.forgotten.len(),
        pruned.marked,
        pruned.removed,
        pruned.locked
    );
    Ok(Report::new(text, json!(pruned)))
}

/// The backup that a person means.
pub(super) async fn find(repository: &Repository, meant: &str) -> Result<BackupRecord> {
    let mut records = repository.backups().await?;
    if meant != "latest" {
        records.retain(|record| record.id.to_string().starts_with(meant));
    }
    let missing = |what: String| {
        Error::new(ErrorKind::NotFound, "find backup", what)
            .with_target(repository.location())
            .with_remedy("see `opsctl backup list`")
    };
    match (records.pop(), records.len()) {
        (Some(record), 0) => Ok(record),
        (Some(record), _) if meant == "latest" => Ok(record),
        (Some(_), others) => Err(missing(format!("{} backups begin with {meant:?}", others + 1))),
        (None, _) if meant == "latest" => Err(missing("there are no backups".to_owned())),
        (None, _) => Err(missing(format!("no backup begins with {meant:?}"))),
    }
}
