//! A log file that rotates.

use std::fmt;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock};

use super::active_file::ActiveFile;
use super::closed_file;
use super::failure::kind_of;
use super::guard::LogGuard;
use super::journal::Journal;
use super::options::{Handover, LogOptions};
use super::queue::Queue;
use super::shared::Shared;
use super::stats::LogStats;

const OPERATION: &str = "open log";

/// The host's own log: whole lines into a file that is closed by size and time, compressed, and removed in the end.
///
/// It is an [`io::Write`], a `MakeWriter` of tracing, and [`layer`](Self::layer) is a ready layer of JSON lines. Clones
/// write into the same log from any thread. What one call of `write` brings reaches the file in one piece; what it
/// leaves of a line waits in this clone for the rest, and is ended when the clone is dropped.
///
/// The file is called as asked for. Closed files have the time of closing and a number behind the name,
/// `app.log.20261126T033000Z.000000007.zst`; numbers only grow, so that the order outlives a clock that jumps back.
///
/// What holds:
/// - No line is lost or torn by rotation, whoever writes meanwhile.
/// - After `kill -9`, everything that the kernel had is there: each line that returned with
///   [`Handover::Kernel`] or, after the next opening, [`Handover::Journal`]; all but what the queue held with
///   [`Handover::Queue`] (the last [`flush_interval`](LogOptions::flush_interval), on a disk that keeps up). A line that the
///   kill cut short is taken off at the next opening. Nothing is promised about a loss of power.
/// - On a full disk, lines are dropped and counted, none is torn, memory stays within twice
///   [`queue_bytes_max`](LogOptions::queue_bytes_max), and the first line that can be written again says how many are missing.
/// - A file that is renamed keeps what was written to it, and a new one is made within 250 ms of the next line. What
///   was written to a removed file until then is gone.
/// - A jump of the wall clock closes no file early or late; only names and ages of closed files follow the clock.
/// - One process has the log at a time: the second is refused, by a lock on a hidden file beside it.
///
/// ```
/// use std::io::Write;
///
/// use alfred_ops_core::SystemClock;
/// use alfred_ops_maintenance::{LogOptions, RotatingLog};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.log");
/// let (mut log, guard) = RotatingLog::open(&path, LogOptions::default(), SystemClock::shared())?;
/// writeln!(log, "{{\"message\":\"hello\"}}").unwrap();
/// drop(guard); // flushes
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"message\":\"hello\"}\n");
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
pub struct RotatingLog {
    pub(super) shared: Arc<Shared>,
    /// The beginning of a line.
    partial: Vec<u8>,
}

impl RotatingLog {
    /// Opens the log at `path` and starts its two threads, which the guard ends. The folder is made if it is not there.
    ///
    /// # Errors
    /// `InvalidInput` names options that cannot be used, `Conflict` says that another process (or this one) has the log
    /// open, and otherwise what keeps the file from being opened.
    pub fn open(path: &Path, options: LogOptions, clock: SharedClock) -> Result<(Self, LogGuard)> {
        let failed = |error: io::Error| file_error(path, error);
        options.check()?;
        if path.file_name().and_then(|name| name.to_str()).is_none() {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "path has no file name in UTF-8")
                .with_target(path.display().to_string())
                .with_remedy("name a file"));
        }
        fs::create_dir_all(closed_file::folder(path)).map_err(failed)?;
        let lock = Self::lock(path)?;
        let mut file = ActiveFile::open(path, &options, Arc::clone(&clock)).map_err(failed)?;
        let journal =
            Self::open_journal(path, &options, &mut file).map_err(|error| journal_error(path, error))?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            queue: Queue::new(options.queue_bytes_max, journal.clone()),
            journal,
            options,
            clock,
            file: Mutex::new(file),
            bell: super::keeper::Bell::default(),
            counts: super::shared::Counts::default(),
            _lock: lock,
        });
        let guard = LogGuard::start(&shared).map_err(failed)?;
        Ok((Self { shared, partial: Vec::new() }, guard))
    }

    /// The journal that lines wait in, if they do. One that a killed process left goes on, or is written out if it does not fit
    /// the options.
    fn open_journal(
        path: &Path,
        options: &LogOptions,
        file: &mut ActiveFile,
    ) -> io::Result<Option<Arc<Journal>>> {
        let is_wanted = options.handover == Handover::Journal;
        if let Some(left) = Journal::left(path)?.map(Arc::new) {
            file.attach(Arc::clone(&left))?;
            if is_wanted && left.capacity() == options.queue_bytes_max {
                return Ok(Some(left));
            }
            let drained = file.drain(&left);
            file.detach();
            match drained {
                Ok(()) => left.remove()?,
                // It stays for the next opening.
                Err(_) if !is_wanted => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if !is_wanted {
            return Ok(None);
        }
        let journal = Arc::new(Journal::create(path, options.queue_bytes_max)?);
        file.attach(Arc::clone(&journal))?;
        Ok(Some(journal))
    }

    fn lock(path: &Path) -> Result<fs::File> {
        let name = path.file_name().unwrap_or_default().display();
        let lock_path = closed_file::folder(path).join(format!(".{name}.lock"));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| file_error(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Conflict, OPERATION, "another writer has the log open")
                    .with_target(path.display().to_string())
                    .with_remedy("give each process a log of its own"))
            }
            Err(TryLockError::Error(error)) => Err(file_error(&lock_path, error)),
        }
    }

    /// What the log has done so far.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        self.shared.stats()
    }

    fn submit(&self, lines: &[u8]) -> io::Result<()> {
        if lines.len() > self.shared.options.line_bytes_max {
            return self.submit_long(lines);
        }
        self.shared.submit(lines)
    }

    /// Submits lines piece by piece, because together they may be more than the queue takes.
    fn submit_long(&self, lines: &[u8]) -> io::Result<()> {
        let mut outcome = Ok(());
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let submitted = if line.len() > self.shared.options.line_bytes_max {
                self.refuse()
            } else {
                self.shared.submit(line)
            };
            outcome = outcome.and(submitted);
        }
        outcome
    }

    fn refuse(&self) -> io::Result<()> {
        self.shared.counts.lines_refused.fetch_add(1, Relaxed);
        let most = self.shared.options.line_bytes_max;
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the line has more than {most} bytes")))
    }
}

impl Write for RotatingLog {
    /// Takes all of `bytes`. An error says that lines were dropped, which is counted too.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') else {
            if self.partial.len() + bytes.len() >= self.shared.options.line_bytes_max {
                self.partial.clear();
                self.refuse()?;
            }
            self.partial.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        let (whole, rest) = bytes.split_at(end + 1);
        let submitted = if self.partial.is_empty() {
            self.submit(whole)
        } else {
            let mut lines = std::mem::take(&mut self.partial);
            lines.extend_from_slice(whole);
            self.submit(&lines)
        };
        self.partial.extend_from_slice(rest);
        submitted.map(|()| bytes.len())
    }

    /// Waits until the kernel has every line queued before; the beginning of a line stays.
    fn flush(&mut self) -> io::Result<()> {
        if self.shared.queue.flush(self.shared.options.flush_wait_max) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the log's disk does not keep up"))
    }
}

impl Clone for RotatingLog {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), partial: Vec::new() }
    }
}

impl Drop for RotatingLog {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.partial.push(b'\n');
            // Nobody is there to be told; it is counted.
            let _ = self.shared.submit(&self.partial);
        }
    }
}

impl fmt::Debug for RotatingLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatingLog").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

fn journal_error(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::Unsupported {
        let fault = "handover: a journal needs a file system that does not copy on write";
        return Error::new(ErrorKind::InvalidInput, OPERATION, fault)
            .with_target(path.display().to_string())
            .with_remedy("use ext4, XFS or tmpfs, or Handover::Kernel");
    }
    file_error(path, error)
}

fn file_error(path: &Path, error: io::Error) -> Error {
    Error::new(kind_of(&error), OPERATION, "the file cannot be used")
        .with_target(path.display().to_string())
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;
    use std::sync::atomic::AtomicU64;

    use alfred_ops_core::SystemClock;

    use super::*;

    /// A disk with so many bytes of room, which takes what fits of a write before it fails, as a full disk does.
    fn fill_disk(log: &RotatingLog, room: &Arc<AtomicU64>) {
        let room = Arc::clone(room);
        let append = move |file: &mut fs::File, lines: &[u8]| {
            let fits = usize::try_from(room.load(Relaxed)).unwrap().min(lines.len());
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let written = file.write(&lines[..fits])?;
            room.fetch_sub(written as u64, Relaxed);
            Ok(written)
        };
        log.shared.file.lock().unwrap_or_else(PoisonError::into_inner).set_append(Box::new(append));
    }

    fn check_full_disk(handover: Handover) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let options =
            LogOptions::default().with_handover(handover).with_line_bytes_max(10).with_queue_bytes_max(100);
        let (mut log, guard) = RotatingLog::open(&path, options, SystemClock::shared()).unwrap();
        let room = Arc::new(AtomicU64::new(25));
        fill_disk(&log, &room);
        for number in 0..1_000 {
            // Nobody waits for a disk that fails, and the queue keeps its bound.
            let _ = writeln!(log, "line {number:04}");
        }
        log.flush().unwrap();
        let stats = log.stats();
        assert_eq!((stats.lines_written, stats.lines_dropped_failed), (2, 998), "{stats:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 0000\nline 0001\n", "no half line stays");

        room.store(1 << 20, Relaxed);
        writeln!(log, "line more").unwrap();
        drop(guard);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        let notice: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(notice["fields"]["write_failed"], 998);
        assert_eq!(lines[3], "line more");
    }

    #[test]
    fn a_full_disk_drops_counts_and_says_so() {
        check_full_disk(Handover::Kernel);
        check_full_disk(Handover::Queue);
        check_full_disk(Handover::Journal);
    }
}
