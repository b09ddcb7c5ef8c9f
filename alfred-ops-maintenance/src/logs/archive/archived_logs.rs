//! The archive.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_backup::BlobStore;
use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::super::closed_file::extended;
use super::super::failure::kind_of;
use super::super::regular_file::create_anew;
use super::line_time::LineTimes;
use super::{ArchivedPiece, FoundLine, LogPattern, LogRange, LogRestore, LogSearch};

/// So many keys are asked for at a time.
const PAGE: usize = 1_000;
/// So many pieces are fetched and read at once, each of about 16 MiB and what it is compressed to.
const AT_ONCE: usize = 4;
const UNREAD_MAX: usize = 100;
/// A compressed piece never becomes more than this.
const PIECE_BYTES_MAX: u64 = 64 << 20;

/// Old log files in a blob store: pieces of whole lines, compressed, found by time.
///
/// Nothing but keys is read to find what lies in a range: one request for each thousand pieces that are newer than its
/// beginning. Memory stays within some hundred MiB whatever the range. A piece is never changed, and the same lines of the
/// same file are stored once.
#[derive(Debug, Clone)]
pub struct ArchivedLogs {
    pub(super) store: Arc<dyn BlobStore>,
}

impl ArchivedLogs {
    /// The archive in `store`, which holds nothing else: put it under a prefix of its own with `PrefixedBlobStore`.
    #[must_use]
    pub fn new(store: Arc<dyn BlobStore>) -> Self {
        Self { store }
    }

    /// The pieces that may have lines of `range`, by the time of their last line.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, range: &LogRange) -> Result<Vec<ArchivedPiece>> {
        let mut pieces = Vec::new();
        self.visit(ArchivedPiece::keys_from(range.from), |piece| {
            if range.covers(&piece) {
                pieces.push(piece);
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(pieces)
    }

    /// Up to `limit` pieces whose age counts from `time` or before, the oldest first.
    pub(super) async fn aged_from_before(
        &self,
        time: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<ArchivedPiece>> {
        let mut pieces = Vec::new();
        self.visit(String::new(), |piece| {
            if piece.last > time || pieces.len() >= limit {
                return ControlFlow::Break(());
            }
            if piece.aged_from().is_some_and(|aged_from| aged_from <= time) {
                pieces.push(piece);
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(pieces)
    }

    pub(super) async fn visit(
        &self,
        mut after: String,
        mut visit: impl FnMut(ArchivedPiece) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        loop {
            let page = self.store.list("", &after, PAGE).await?;
            let is_last = page.len() < PAGE;
            for blob in page {
                let piece = ArchivedPiece::parse(&blob.key, blob.bytes);
                after = blob.key;
                if piece.is_some_and(|piece| visit(piece).is_break()) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    pub(super) async fn remove(&self, piece: &ArchivedPiece) -> Result<()> {
        self.store.delete(&piece.key()).await
    }

    /// Gives the lines of `range` that `pattern` is met by to `on_line`, piece by piece in the order of [`list`](Self::list),
    /// until it breaks. A piece in which no line tells its time is given whole, for it may be of the range:
    /// [`is_dated`](FoundLine::is_dated).
    ///
    /// A piece that cannot be read is named in the report, and the search goes on. A dropped future has read what it has read.
    ///
    /// # Errors
    /// The store's, when the pieces cannot be listed.
    pub async fn search(
        &self,
        range: &LogRange,
        pattern: &LogPattern,
        mut on_line: impl FnMut(FoundLine) -> ControlFlow<()> + Send,
    ) -> Result<LogSearch> {
        let mut report = LogSearch::default();
        let found = stream::iter(self.list(range).await?)
            .map(|piece| async {
                let found = self.find(&piece, range.clone(), pattern.clone()).await;
                (piece, found)
            })
            .buffered(AT_ONCE);
        let mut found = std::pin::pin!(found);
        while let Some((piece, lines)) = found.next().await {
            match lines {
                Ok(lines) => {
                    report.pieces += 1;
                    report.bytes += piece.bytes;
                    for line in lines {
                        report.found += 1;
                        if on_line(line).is_break() {
                            return Ok(report);
                        }
                    }
                }
                Err(error) => note_unread(&mut report.unread, &piece, &error),
            }
        }
        Ok(report)
    }

    async fn find(
        &self,
        piece: &ArchivedPiece,
        range: LogRange,
        pattern: LogPattern,
    ) -> Result<Vec<FoundLine>> {
        let lines = self.read(piece).await?;
        let (log, first) = (piece.log.clone(), piece.first);
        let times = LineTimes::new(piece.closed_at);
        blocking(move || {
            let mut found = Vec::new();
            let ends = |&byte: &u8| byte == b'\n';
            // Somewhere in the range, as far as anybody can tell.
            let is_undated = !lines.split_inclusive(ends).any(|line| times.of(line).is_some());
            let mut told = None;
            for line in lines.split_inclusive(ends) {
                told = times.of(line).or(told);
                let time = told.unwrap_or(first);
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                if (is_undated || range.contains(time)) && pattern.matches(line) {
                    let line = String::from_utf8_lossy(line).into_owned();
                    found.push(FoundLine { log: log.clone(), time, is_dated: told.is_some(), line });
                }
            }
            found
        })
        .await
    }

    /// Writes the pieces that may have lines of `range` into `folder`, as `HOST/LOG/FIRST_LAST_DIGEST.log`.
    ///
    /// A piece that cannot be read is named in the report. Repeated, it goes on where it stopped: what is there is whole.
    ///
    /// # Errors
    /// The store's, when the pieces cannot be listed, and the folder's.
    pub async fn restore(&self, range: &LogRange, folder: &Path) -> Result<LogRestore> {
        let results: Vec<(ArchivedPiece, Result<Restored>)> = stream::iter(self.list(range).await?)
            .map(|piece| async {
                let restored = self.restore_piece(&piece, folder).await;
                match restored {
                    Err(error) if error.operation() == WRITE => Err(error),
                    restored => Ok((piece, restored)),
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut report = LogRestore::default();
        for (piece, restored) in results {
            match restored {
                Ok(Restored::Present) => report.present += 1,
                Ok(Restored::Written(bytes)) => {
                    report.files += 1;
                    report.bytes += bytes;
                }
                Err(error) => note_unread(&mut report.unread, &piece, &error),
            }
        }
        Ok(report)
    }

    async fn restore_piece(&self, piece: &ArchivedPiece, folder: &Path) -> Result<Restored> {
        let path = restored_path(piece, folder);
        if path.exists() {
            return Ok(Restored::Present);
        }
        let lines = self.read(piece).await?;
        let bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let written = path.clone();
        let wrote = blocking(move || write_whole(&written, &lines)).await?;
        wrote.map_err(|error| {
            Error::new(ErrorKind::Internal, WRITE, error.to_string()).with_target(path.display().to_string())
        })?;
        Ok(Restored::Written(bytes))
    }

    async fn read(&self, piece: &ArchivedPiece) -> Result<Vec<u8>> {
        let key = piece.key();
        let packed = self.store.get(&key).await?;
        blocking(move || unpack(&packed)).await?.map_err(|error| {
            Error::new(ErrorKind::Corrupt, "read archived log", error.to_string())
                .with_target(format!("{}/{key}", self.store.location()))
        })
    }
}

/// What is done to a file of the host, in errors.
pub(super) const READ_FILE: &str = "archive log";

/// What a restore does to the folder, in errors.
const WRITE: &str = "write restored log";

enum Restored {
    Present,
    Written(u64),
}

fn restored_path(piece: &ArchivedPiece, folder: &Path) -> PathBuf {
    let time = |time: DateTime<Utc>| time.format("%Y%m%dT%H%M%SZ").to_string();
    let name = format!("{}_{}_{}.log", time(piece.first), time(piece.last), piece.digest);
    piece.log.split('/').fold(folder.to_owned(), |path, part| path.join(part)).join(name)
}

fn write_whole(path: &Path, lines: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let unfinished = extended(path, ".tmp");
    create_anew(&unfinished)?.write_all(lines)?;
    fs::rename(&unfinished, path)
}

pub(super) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    let read = zstd::Decoder::new(packed)?.take(PIECE_BYTES_MAX + 1).read_to_end(&mut lines)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > PIECE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has more than {PIECE_BYTES_MAX} bytes, which no piece has"
        )));
    }
    Ok(lines)
}

fn note_unread(unread: &mut Vec<String>, piece: &ArchivedPiece, error: &Error) {
    if unread.len() < UNREAD_MAX {
        unread.push(format!("{piece}: {}", error.full()));
    }
}

pub(super) fn file_error(path: &Path, error: &io::Error) -> Error {
    Error::new(kind_of(error), READ_FILE, error.to_string()).with_target(path.display().to_string())
}
