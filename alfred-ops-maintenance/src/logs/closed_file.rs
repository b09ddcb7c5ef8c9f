//! Closed files and their names.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const TIME_BYTES: usize = 16;
const COMPRESSED: &str = ".zst";
/// What a compressed file is called until it is whole.
const UNFINISHED: &str = ".zst.tmp";

/// A file that is no longer written: `NAME.TIME.SEQUENCE`, and `.zst` if compressed.
///
/// The order is that of the sequence. The time is what the clock said at closing, and clocks jump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClosedFile {
    pub(super) path: PathBuf,
    pub(super) sequence: u64,
    pub(super) closed_at: DateTime<Utc>,
    pub(super) bytes: u64,
    pub(super) is_compressed: bool,
}

impl ClosedFile {
    /// What the log at `log` is called once it is closed.
    pub(super) fn path_for(log: &Path, closed_at: DateTime<Utc>, sequence: u64) -> PathBuf {
        extended(log, &format!(".{}.{sequence:09}", closed_at.format(TIME_FORMAT)))
    }

    /// Reads `name` as that of a closed file of the log called `log`.
    fn parse(log: &OsStr, name: &OsStr) -> Option<(u64, DateTime<Utc>, bool)> {
        let rest = name.to_str()?.strip_prefix(log.to_str()?)?.strip_prefix('.')?;
        let (rest, is_compressed) = match rest.strip_suffix(COMPRESSED) {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (time, sequence) = rest.split_once('.')?;
        // A year has four digits.
        if time.len() != TIME_BYTES {
            return None;
        }
        let closed_at = NaiveDateTime::parse_from_str(time, TIME_FORMAT).ok()?.and_utc();
        let digits = sequence.len() >= 9 && sequence.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| sequence.parse().ok())?.map(|sequence| (sequence, closed_at, is_compressed))
    }

    /// The log whose closed file is called `name`.
    pub(super) fn log_of(name: &str) -> Option<&str> {
        let plain = name.strip_suffix(COMPRESSED).unwrap_or(name);
        let (log, _) = plain.rsplit_once('.')?.0.rsplit_once('.')?;
        Self::parse(OsStr::new(log), OsStr::new(name)).map(|_| log)
    }

    /// Whether `name` is that of a compressed file of the log called `log` that is not whole. Its source is still there.
    pub(super) fn is_unfinished(log: &OsStr, name: &OsStr) -> bool {
        let source = name.to_str().and_then(|name| name.strip_suffix(UNFINISHED));
        source.is_some_and(|source| Self::parse(log, OsStr::new(source)).is_some())
    }

    /// The closed files of the log at `log`, oldest first. Files of other names are not seen, nor are links and folders.
    pub(super) fn list(log: &Path) -> io::Result<Vec<Self>> {
        let name = log.file_name().unwrap_or_default();
        let mut files = Vec::new();
        for entry in fs::read_dir(folder(log))? {
            let entry = entry?;
            let Some((sequence, closed_at, is_compressed)) = Self::parse(name, &entry.file_name()) else {
                continue;
            };
            // It may go between listing and looking.
            let Ok(metadata) = entry.metadata() else { continue };
            if !metadata.is_file() {
                continue;
            }
            let bytes = metadata.len();
            files.push(Self { path: entry.path(), sequence, closed_at, bytes, is_compressed });
        }
        files.sort_by_key(|file| (file.sequence, file.is_compressed));
        Ok(files)
    }

    /// What it is called once it is compressed, and until then.
    pub(super) fn compressed_paths(&self) -> (PathBuf, PathBuf) {
        (extended(&self.path, COMPRESSED), extended(&self.path, UNFINISHED))
    }
}

/// The folder that `log` is in.
pub(super) fn folder(log: &Path) -> &Path {
    log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Has the disk keep what was made, renamed or removed beside `path`.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(folder(path))?.sync_all()
}

/// `path` with `more` at its end.
pub(super) fn extended(path: &Path, more: &str) -> PathBuf {
    let mut whole = path.as_os_str().to_owned();
    whole.push(more);
    PathBuf::from(whole)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, expected: Option<(u64, bool)>) {
        let parsed = ClosedFile::parse(OsStr::new("app.log"), OsStr::new(name));
        assert_eq!(parsed.map(|(sequence, _, is_compressed)| (sequence, is_compressed)), expected, "{name}");
    }

    #[test]
    fn only_names_of_ours_are_read() {
        check("app.log.20240102T030405Z.000000007", Some((7, false)));
        check("app.log.20240102T030405Z.000000007.zst", Some((7, true)));
        check("app.log.20240102T030405Z.000000007.zst.tmp", None);
        check("app.log.20240102T030405Z.7", None);
        check("app.log.20240102T030405Z.+00000007", None);
        check("app.log.1", None);
        check("app.log", None);
        check("other.log.20240102T030405Z.000000007", None);
        check("app.log.20241302T030405Z.000000007", None);
        check("app.log.+120240102T030405Z.000000007", None);
    }

    #[test]
    fn the_log_is_read_from_the_name() {
        assert_eq!(ClosedFile::log_of("a.b.log.20240102T030405Z.000000007.zst"), Some("a.b.log"));
        assert_eq!(ClosedFile::log_of("a.log.1"), None);
        assert_eq!(ClosedFile::log_of("a.log"), None);
    }

    proptest! {
        #[test]
        fn names_come_back(seconds in 0_i64..4_000_000_000, sequence: u64) {
            let closed_at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
            let path = ClosedFile::path_for(Path::new("/x/app.log"), closed_at, sequence);
            let parsed = ClosedFile::parse(OsStr::new("app.log"), path.file_name().unwrap());
            prop_assert_eq!(parsed, Some((sequence, closed_at, false)));
        }
    }
}
