//! What is in a folder of log files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::super::closed_file::ClosedFile;
use super::writers::Writers;
use super::{ClosedLog, LogFacts, ServiceLog};

/// A folder with more files than this is refused.
const FILES_MAX: usize = 10_000;

/// The logs in `folder` whose names end with `suffix`, without those that a [`RotatingLog`](crate::RotatingLog) has written:
/// it cares for itself.
pub(super) fn facts(folder: &Path, suffix: &str) -> io::Result<LogFacts> {
    let mut facts = all_logs(folder, suffix)?;
    facts.logs.retain(|log| !log.is_cared_for);
    Ok(facts)
}

/// The logs in `folder` whose names end with `suffix`. Links are not followed.
pub(in crate::logs) fn all_logs(folder: &Path, suffix: &str) -> io::Result<LogFacts> {
    let mut logs = BTreeSet::new();
    let mut cared_for = BTreeSet::new();
    let mut unfinished: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (count, entry) in fs::read_dir(folder)?.enumerate() {
        if count >= FILES_MAX {
            let message =
                format!("the folder has more than {FILES_MAX} files: move those out that are no logs");
            return Err(io::Error::other(message));
        }
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !entry.file_type()?.is_file() {
            continue;
        }
        if let Some(log) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".lock")) {
            cared_for.insert(log.to_owned());
        } else if let Some(log) = name.strip_suffix(".tmp").and_then(ClosedFile::log_of) {
            unfinished.entry(log.to_owned()).or_default().push(entry.path());
            logs.insert(log.to_owned());
        } else {
            logs.insert(ClosedFile::log_of(&name).unwrap_or(&name).to_owned());
        }
    }
    logs.retain(|name| name.ends_with(suffix));
    let mut writers = Writers::default();
    let logs = logs.iter().map(|name| {
        let unfinished = unfinished.remove(name).unwrap_or_default();
        let log = log_at(folder.join(name), unfinished, &mut writers)?;
        Ok(ServiceLog { is_cared_for: cared_for.contains(name), ..log })
    });
    Ok(LogFacts { logs: logs.collect::<io::Result<_>>()? })
}

fn log_at(path: PathBuf, unfinished: Vec<PathBuf>, writers: &mut Writers) -> io::Result<ServiceLog> {
    let files = ClosedFile::list(&path)?;
    let closed_last = files.iter().map(|file| file.closed_at).max();
    let active = match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => Some(metadata),
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let created =
        active.as_ref().and_then(|metadata| metadata.created().or_else(|_| metadata.modified()).ok());
    let closed = files.into_iter().filter_map(|file| {
        // It may go between listing and looking.
        let metadata = fs::symlink_metadata(&file.path).ok()?;
        let modified_at = metadata.modified().map_or(file.closed_at, DateTime::from);
        let is_open = if file.is_compressed { Some(false) } else { writers.has(&metadata) };
        Some(ClosedLog { file, modified_at, is_open })
    });
    Ok(ServiceLog {
        closed: closed.collect(),
        bytes: active.map(|metadata| metadata.len()),
        // A copy that was truncated is older than what is in it.
        began_at: created.map(DateTime::<Utc>::from).max(closed_last),
        unfinished,
        is_cared_for: false,
        path,
    })
}
