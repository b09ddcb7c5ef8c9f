//! `opsctl backup …`.

use alfred_ops_backup::{BackupRecord, BackupRequest, PostgresBackend, Repository, RetentionPolicy};
use alfred_ops_core::{Error, ErrorKind, Id, JobContext, PostgresOptions, Result};
use serde_json::json;

use super::arguments::Which;
use super::place::Place;
use super::report::{Report, line, paragraph};
use super::server::with_password;
use crate::console::Console;

pub(super) fn request(full: bool, independent: bool) -> BackupRequest {
    match (full, independent) {
        (_, true) => BackupRequest::full().independent(),
        (true, false) => BackupRequest::full(),
        (false, false) => BackupRequest::incremental(),
    }
}

pub(super) async fn run(
    place: &Place,
    server: &PostgresOptions,
    request: BackupRequest,
    accept_damaged_pages: bool,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let repository = place.open_or_create(context).await?;
    let mut backend = PostgresBackend::new(with_password(server));
    if accept_damaged_pages {
        backend = backend.accept_damaged_pages();
    }
    let backup = repository.run_backup(&backend, request, context);
    let record = Box::pin(console.watch(&context.progress, backup)).await?;
    Ok(Report::new(paragraph(&record), json!(record)))
}

pub(super) async fn list(place: &Place) -> Result<Report> {
    let catalog = place.open().await?.catalog().await?;
    let damaged = catalog.damaged.iter().map(|damage| format!("! damaged: {damage}"));
    let lines: Vec<String> = catalog.backups.iter().map(line).chain(damaged).collect();
    let text = if lines.is_empty() { "there are no backups".to_owned() } else { lines.join("\n") };
    let records = catalog.backups.iter().map(|record| json!(record));
    let damaged = catalog.damaged.iter().map(|damage| json!({ "damaged": damage }));
    Ok(Report::new(text, records.chain(damaged).collect()))
}

pub(super) async fn show(place: &Place, backup: &str) -> Result<Report> {
    let record = find(&place.open().await?, backup).await?;
    Ok(Report::new(paragraph(&record), json!(record)))
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

/// The identifiers of the backups that a person means. Records are not read: they may be what is damaged.
pub(super) async fn ids(repository: &Repository, which: &Which) -> Result<Vec<Id>> {
    if which.all {
        return repository.backup_ids().await;
    }
    if which.backup == "latest" {
        let newest = repository.backup_ids().await?.pop();
        return newest.map(|id| vec![id]).ok_or_else(|| none(repository));
    }
    // The commit of one that is named in full may be what is missing.
    match which.backup.parse() {
        Ok(id) => Ok(vec![id]),
        Err(_) => Ok(vec![beginning_with(repository, &which.backup).await?]),
    }
}

/// The backup that a person means.
pub(super) async fn find(repository: &Repository, meant: &str) -> Result<BackupRecord> {
    if meant == "latest" {
        return repository.catalog().await?.backups.pop().ok_or_else(|| none(repository));
    }
    repository.backup(beginning_with(repository, meant).await?).await
}

/// The only backup whose identifier begins so.
async fn beginning_with(repository: &Repository, meant: &str) -> Result<Id> {
    let mut ids = repository.backup_ids().await?;
    ids.retain(|id| id.to_string().starts_with(meant));
    match ids[..] {
        [id] => Ok(id),
        [] => Err(missing(repository, format!("no backup begins with {meant:?}"))),
        _ => Err(missing(repository, format!("{} backups begin with {meant:?}", ids.len()))),
    }
}

fn none(repository: &Repository) -> Error {
    missing(repository, "there are no backups".to_owned())
}

fn missing(repository: &Repository, what: String) -> Error {
    Error::new(ErrorKind::NotFound, "find backup", what)
        .with_target(repository.location())
        .with_remedy("see `opsctl backup list`")
}
