//! The archive.

use std::fs;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_backup::BlobStore;
use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::super::closed_file::{ClosedFile, extended};
use super::super::failure::kind_of;
use super::line_time::line_time;
use super::pieces::{Cut, Pieces};
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
    store: Arc<dyn BlobStore>,
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

    /// Up to `limit` pieces whose last line is older than `time`, the oldest first.
    pub(super) async fn older_than(&self, time: DateTime<Utc>, limit: usize) -> Result<Vec<ArchivedPiece>> {
        let mut pieces = Vec::new();
        self.visit(String::new(), |piece| {
            if piece.last >= time || pieces.len() >= limit {
                return ControlFlow::Break(());
            }
            pieces.push(piece);
            ControlFlow::Continue(())
        })
        .await?;
        Ok(pieces)
    }

    async fn visit(
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

    /// Stores what is in `file`. After `Ok`, every line of it was read back from the store and compared. Gives how many bytes
    /// of the file that are.
    pub(super) async fn store_file(
        &self,
        host: &str,
        log: &str,
        file: &ClosedFile,
        level: i32,
    ) -> Result<u64> {
        let opened = file.clone();
        let mut pieces =
            blocking(move || Pieces::open(&opened)).await?.map_err(|error| file_error(&file.path, &error))?;
        let mut bytes = 0;
        loop {
            let (returned, cut) = blocking(move || {
                let cut = pieces.next();
                (pieces, cut)
            })
            .await?;
            pieces = returned;
            let Some(cut) = cut.map_err(|error| file_error(&file.path, &error))? else { return Ok(bytes) };
            bytes += u64::try_from(cut.lines.len()).unwrap_or(u64::MAX);
            self.store_piece(host, log, file, cut, level).await?;
        }
    }

    async fn store_piece(
        &self,
        host: &str,
        log: &str,
        file: &ClosedFile,
        cut: Cut,
        level: i32,
    ) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&file.sequence.to_le_bytes());
        hasher.update(&file.closed_at.timestamp().to_le_bytes());
        hasher.update(&cut.offset.to_le_bytes());
        let lines = Arc::new(cut.lines);
        let shared = Arc::clone(&lines);
        let (digest, packed) = blocking(move || {
            hasher.update(&shared);
            (hasher.finalize(), pack(&shared, level))
        })
        .await?;
        let piece = ArchivedPiece::new(host, log, cut.times, &digest);
        let key = piece.key();
        let packed = packed.map_err(|error| file_error(&file.path, &error))?;
        match self.store.create(&key, Bytes::from(packed)).await {
            Ok(()) => {}
            // An interrupted run stored it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let stored = self.store.get(&key).await?;
        let is_same = blocking(move || unpack(&stored).is_ok_and(|read| read == *lines)).await?;
        if is_same {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Corrupt,
            "archive log",
            "the store gives back other bytes than it was given",
        )
        .with_target(format!("{}/{key}", self.store.location()))
        .with_remedy("the local file stays; remove this object and look after the store"))
    }

    /// Gives the lines of `range` that `pattern` is met by to `on_line`, piece by piece in the order of [`list`](Self::list),
    /// until it breaks.
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
        let (log, mut time) = (piece.log.clone(), piece.first);
        blocking(move || {
            let mut found = Vec::new();
            for line in lines.split_inclusive(|&byte| byte == b'\n') {
                time = line_time(line).unwrap_or(time);
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                if range.contains(time) && pattern.matches(line) {
                    let line = String::from_utf8_lossy(line).into_owned();
                    found.push(FoundLine { log: log.clone(), time, line });
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
    fs::write(&unfinished, lines)?;
    fs::rename(&unfinished, path)
}

fn pack(lines: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(u64::try_from(lines.len()).unwrap_or(u64::MAX)))?;
    io::Write::write_all(&mut encoder, lines)?;
    encoder.finish()
}

fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
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

fn file_error(path: &Path, error: &io::Error) -> Error {
    Error::new(kind_of(error), "archive log", error.to_string()).with_target(path.display().to_string())
}
