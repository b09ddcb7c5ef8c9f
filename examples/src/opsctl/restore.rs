//! `opsctl restore`.

use alfred_ops_backup::{BackupRecord, PostgresBackend, RecoveryTarget, Repository, RestoreRequest};
use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, PostgresOptions, Result};
use indicatif::HumanBytes;
use serde_json::json;

use super::arguments::Wanted;
use super::backup::find;
use super::place::Place;
use super::report::Report;
use crate::console::Console;

pub(super) async fn restore(
    place: &Place,
    wanted: &Wanted,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let repository = place.open().await?;
    let target = target(wanted);
    let record = match &wanted.backup {
        Some(backup) => find(&repository, backup).await?,
        None => newest_before(&repository, &target).await?,
    };
    console.step(&format!("restoring from backup {} of {}", record.id, record.source));
    let mut request = RestoreRequest::new(&wanted.into).with_target(target);
    if wanted.update {
        request = request.with_update();
    }
    if let Some(timeline) = wanted.timeline {
        request = request.with_timeline(timeline);
    }
    if wanted.serve_log {
        request = request.with_log_command(log_command(place, &record)?);
    }
    for (old, new) in &wanted.tablespace {
        request = request.with_relocation(old, new);
    }
    // A restore asks no server for anything.
    let backend = PostgresBackend::new(PostgresOptions::new("localhost", "postgres"));
    let restore = repository.run_restore(&record, &backend, &request, context);
    let restored = Box::pin(console.watch(&context.progress, restore)).await?;
    let text = format!(
        "restored {} in {} files ({} were there already) and {} of log into {}\n\
         next: chown -R postgres:postgres {}, then start Postgres on it",
        HumanBytes(restored.bytes),
        restored.files,
        HumanBytes(restored.present_bytes),
        HumanBytes(restored.log_bytes),
        wanted.into.display(),
        wanted.into.display(),
    );
    let json = json!({
        "backup": record.id, "into": wanted.into, "files": restored.files, "bytes": restored.bytes,
        "present_bytes": restored.present_bytes, "log_bytes": restored.log_bytes,
    });
    Ok(Report::new(text, json))
}

/// This program, as Postgres calls it for a file of the log.
fn log_command(place: &Place, record: &BackupRecord) -> Result<String> {
    let program = std::env::current_exe().map_err(|source| {
        Error::new(ErrorKind::Unsupported, "restore", "this program does not know where it lies")
            .with_source(source)
    })?;
    let mut words = vec![program.display().to_string()];
    words.extend(place.arguments());
    words.extend(["wal".to_owned(), "get".to_owned()]);
    if let Some(system) = record.facts.get("system_id").and_then(|system| system.as_str()) {
        words.extend(["--system".to_owned(), system.to_owned()]);
    }
    // A shell reads it, after Postgres has replaced what begins with a percent sign.
    let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''").replace('%', "%%")));
    Ok(format!("{} %f '%p'", quoted.collect::<Vec<_>>().join(" ")))
}

fn target(wanted: &Wanted) -> RecoveryTarget {
    match wanted {
        Wanted { time: Some(time), .. } => RecoveryTarget::Time(*time),
        Wanted { lsn: Some(lsn), .. } => RecoveryTarget::Lsn(*lsn),
        Wanted { xid: Some(xid), .. } => RecoveryTarget::Xid(*xid),
        Wanted { name: Some(name), .. } => RecoveryTarget::Name(name.clone()),
        Wanted { immediate: true, .. } => RecoveryTarget::Immediate,
        _ => RecoveryTarget::Latest,
    }
}

/// The newest backup that was complete before the moment.
async fn newest_before(repository: &Repository, target: &RecoveryTarget) -> Result<BackupRecord> {
    let before = |record: &BackupRecord| match target {
        RecoveryTarget::Time(time) => record.finished_at <= *time,
        RecoveryTarget::Lsn(lsn) => record.log.as_ref().is_none_or(|log| Lsn(log.positions.end) <= *lsn),
        _ => true,
    };
    let newest = repository.catalog().await?.backups.into_iter().rev().find(before);
    newest.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "find backup", "no backup was complete before that moment")
            .with_target(repository.location())
            .with_remedy("see `opsctl backup list`, and choose a later moment")
    })
}
