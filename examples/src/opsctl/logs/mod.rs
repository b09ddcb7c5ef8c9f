//! `opsctl logs`.

mod command;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{BlobStore as _, PrefixedBlobStore};
use alfred_ops_core::{Error, ErrorKind, JobContext, Result, StateStore};
use alfred_ops_maintenance::{
    ArchivedLogs, CaretakerBuilder, Chore, FoundLine, LogArchiving, LogArchivingPolicy, LogCare,
    LogCarePolicy, LogPattern, LogRange, ReopenHook,
};
use serde_json::json;

pub(super) use self::command::LogsCommand;
use self::command::{Files, LogChore, Range, Which};
use super::maint::{ChoreMemory, Question, ask, state_of};
use super::place::Place;
use super::report::Report;

/// The archive lies beside the backups, under this prefix.
const PREFIX: &str = "archived-logs";

pub(super) async fn run(place: &Place, command: LogsCommand, context: &JobContext) -> Result<Report> {
    match command {
        LogsCommand::Care { files, tell } => {
            let policy = LogCarePolicy::default();
            let care = match tell.as_deref().map(hook) {
                Some(hook) => LogCare::reopening(&files.host, &files.folder, hook?, policy)?,
                None => LogCare::copying(&files.host, &files.folder, policy)?,
            };
            chore(&files, context, |store| care.with_suffix(&files.suffix).caretaker(store)).await
        }
        LogsCommand::Archive { files, after_days, keep_days } => {
            let days = |days: u64| Duration::from_secs(days.saturating_mul(24 * 3600));
            let policy = LogArchivingPolicy::default()
                .with_archive_after(days(after_days))
                .with_kept_for(days(keep_days));
            let archiving = LogArchiving::new(&files.host, &files.folder, archive(place).await?, policy)?;
            let archiving = archiving.with_suffix(&files.suffix);
            chore(&files, context, |store| archiving.caretaker(store)).await
        }
        LogsCommand::Status { which } => look_after(place, which, Question::Status, context).await,
        LogsCommand::History { which } => look_after(place, which, Question::History, context).await,
        LogsCommand::List { range } => {
            let range = wanted(range)?;
            list(&filled_archive(place).await?, &range).await
        }
        LogsCommand::Grep { range, text, field, limit } => {
            let (range, pattern) = (wanted(range)?, pattern(text, field)?);
            grep(&filled_archive(place).await?, &range, &pattern, limit).await
        }
        LogsCommand::Restore { range, into } => {
            let range = wanted(range)?;
            restore(&filled_archive(place).await?, &range, &into).await
        }
    }
}

async fn archive(place: &Place) -> Result<ArchivedLogs> {
    Ok(ArchivedLogs::new(Arc::new(PrefixedBlobStore::new(place.store().await?, PREFIX)?)))
}

/// The archive to look into. Of an empty one every answer would be "nothing", also where the place is mistyped.
async fn filled_archive(place: &Place) -> Result<ArchivedLogs> {
    let store = PrefixedBlobStore::new(place.existing_store().await?, PREFIX)?;
    if store.list("", "", 1).await?.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "look into archive", "no log was archived here")
            .with_target(store.location().to_owned())
            .with_remedy("check --repository; `opsctl logs archive` fills it"));
    }
    Ok(ArchivedLogs::new(Arc::new(store)))
}

fn hook(command: &str) -> Result<ReopenHook> {
    let mut words = command.split_whitespace();
    let Some(program) = words.next() else {
        return Err(Error::new(ErrorKind::InvalidInput, "care for logs", "--tell names no program")
            .with_remedy("give a program with its arguments: --tell \"systemctl kill -s HUP agent\""));
    };
    Ok(ReopenHook::command(program, &words.collect::<Vec<_>>()))
}

async fn chore<C: Chore>(
    files: &Files,
    context: &JobContext,
    caretaker: impl FnOnce(Arc<dyn StateStore>) -> CaretakerBuilder<C>,
) -> Result<Report> {
    let what = if files.dry_run { Question::Plan } else { Question::Run };
    let store = state_of(files.state.as_ref(), &what, ChoreMemory::Spare, context).await?;
    ask(caretaker(store), what, context).await
}

/// Asks what hosts know of a chore. Nothing is read of a folder.
async fn look_after(
    place: &Place,
    Which { chore, host, state }: Which,
    what: Question,
    context: &JobContext,
) -> Result<Report> {
    if let Some(state) = &state {
        state.must_exist()?;
    }
    let store = state_of(state.as_ref(), &what, ChoreMemory::Spare, context).await?;
    match chore {
        LogChore::Care => {
            ask(LogCare::copying(&host, "", LogCarePolicy::default())?.caretaker(store), what, context).await
        }
        LogChore::Archive => {
            let archive = archive(place).await?;
            let archiving = LogArchiving::new(host, "", archive, LogArchivingPolicy::default())?;
            ask(archiving.caretaker(store), what, context).await
        }
    }
}

fn wanted(Range { from, to, log }: Range) -> Result<LogRange> {
    if from >= to {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "look into archive",
            format!("{from} is not before {to}"),
        )
        .with_remedy("give --from before --to"));
    }
    let range = LogRange::new(from, to);
    Ok(match log {
        Some(log) => range.of_log(log),
        None => range,
    })
}

fn pattern(texts: Vec<String>, fields: Vec<String>) -> Result<LogPattern> {
    let pattern = texts.into_iter().fold(LogPattern::default(), LogPattern::containing);
    fields.iter().try_fold(pattern, |pattern, field| match field.split_once('=') {
        Some((name, value)) => Ok(pattern.with_field(name, value)),
        None => Err(Error::new(
            ErrorKind::InvalidInput,
            "look into archive",
            format!("{field:?} is no NAME=VALUE"),
        )
        .with_remedy("give --field fields.task=42")),
    })
}

async fn list(archive: &ArchivedLogs, range: &LogRange) -> Result<Report> {
    let pieces = archive.list(range).await?;
    let lines: Vec<String> = pieces.iter().map(ToString::to_string).collect();
    let text = if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") };
    let json = pieces.iter().map(|piece| {
        json!({ "log": piece.log, "first": piece.first, "last": piece.last, "bytes": piece.bytes, "key": piece.key() })
    });
    Ok(Report::new(text, json!({ "pieces": json.collect::<Vec<_>>() })))
}

/// A line with where it comes from. Who looks for a time is told if it is not known.
fn shown(FoundLine { log, line, is_dated, .. }: &FoundLine) -> String {
    if *is_dated { format!("{log}: {line}") } else { format!("{log} (undated): {line}") }
}

async fn grep(
    archive: &ArchivedLogs,
    range: &LogRange,
    pattern: &LogPattern,
    limit: usize,
) -> Result<Report> {
    let mut found = Vec::new();
    let search = archive.search(range, pattern, |line| {
        if found.len() >= limit {
            return ControlFlow::Break(());
        }
        found.push(line);
        ControlFlow::Continue(())
    });
    let search = search.await?;
    let is_cut = search.found > u64::try_from(found.len()).unwrap_or(u64::MAX);
    let mut lines: Vec<String> = found.iter().map(shown).collect();
    if is_cut {
        lines.push(format!("there is more than {limit} lines: give a shorter time, or --limit"));
    }
    lines.extend(search.unread.iter().map(|unread| format!("not read: {unread}")));
    let json = json!({
        "lines": found.iter().map(|line| json!({ "log": line.log, "time": line.is_dated.then_some(line.time), "line": line.line })).collect::<Vec<_>>(),
        "is_cut": is_cut, "pieces": search.pieces, "bytes": search.bytes, "unread": search.unread,
    });
    let text = if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") };
    Ok(Report::new(text, json).failed_if(!search.unread.is_empty()))
}

async fn restore(archive: &ArchivedLogs, range: &LogRange, folder: &Path) -> Result<Report> {
    let restored = archive.restore(range, folder).await?;
    let mut text = format!(
        "{} files with {} bytes written into {}, {} were there",
        restored.files,
        restored.bytes,
        folder.display(),
        restored.present
    );
    for unread in &restored.unread {
        text.push_str(&format!("\nnot read: {unread}"));
    }
    let json = json!({
        "files": restored.files, "present": restored.present, "bytes": restored.bytes, "unread": restored.unread,
    });
    Ok(Report::new(text, json).failed_if(!restored.unread.is_empty()))
}
