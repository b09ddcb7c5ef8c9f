//! What a log's handles and threads share.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::SharedClock;
use chrono::SecondsFormat;

use super::active_file::ActiveFile;
use super::journal::Journal;
use super::keeper::Bell;
use super::options::{Handover, LogOptions};
use super::queue::{Pushed, Queue, Taken};
use super::stats::LogStats;

/// What a log's handles and threads share.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) options: LogOptions,
    pub(super) clock: SharedClock,
    pub(super) queue: Queue,
    pub(super) file: Mutex<ActiveFile>,
    pub(super) journal: Option<Arc<Journal>>,
    /// Rung when a file was closed.
    pub(super) bell: Bell,
    pub(super) counts: Counts,
    /// Held as long as anybody may write.
    pub(super) _lock: File,
}

/// Counts beside those of the file.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) lines_written: AtomicU64,
    pub(super) lines_dropped_full: AtomicU64,
    pub(super) lines_dropped_failed: AtomicU64,
    pub(super) lines_refused: AtomicU64,
    pub(super) care_failed: AtomicU64,
    /// Of the dropped, those that no line of the log tells of yet.
    unsaid_full: AtomicU64,
    unsaid_failed: AtomicU64,
}

impl Shared {
    /// Takes whole lines.
    ///
    /// # Errors
    /// What keeps them from being written, or `WouldBlock` if the queue is full; they are counted as dropped.
    pub(super) fn submit(&self, lines: &[u8]) -> io::Result<()> {
        if self.options.handover == Handover::Kernel {
            return self.write(None, lines);
        }
        match self.queue.push(lines, self.options.when_full, self.options.flush_wait_max) {
            Pushed::Queued => Ok(()),
            Pushed::Closed => self.write(None, lines),
            Pushed::Full => {
                let dropped = count_lines(lines);
                self.counts.lines_dropped_full.fetch_add(dropped, Relaxed);
                self.counts.unsaid_full.fetch_add(dropped, Relaxed);
                Err(io::Error::new(io::ErrorKind::WouldBlock, "the log's queue is full"))
            }
        }
    }

    /// Hands whole lines to the kernel, which stand in the journal from `position` on if they come from there. Before them goes
    /// word of lines that were dropped.
    fn write(&self, position: Option<u64>, lines: &[u8]) -> io::Result<()> {
        let mut file = self.lock_file();
        let rotations = file.rotations;
        let said = self.say_dropped(&mut file);
        let appended = if let Err(error) = said {
            (0, Some(error))
        } else {
            let appended = file.append_from(position, lines);
            (appended.bytes, appended.failure)
        };
        let has_closed = file.rotations > rotations;
        drop(file);
        if has_closed {
            self.bell.ring();
        }
        let (done, failure) = appended;
        self.counts.lines_written.fetch_add(count_lines(&lines[..done]), Relaxed);
        let dropped = count_lines(&lines[done..]);
        self.counts.lines_dropped_failed.fetch_add(dropped, Relaxed);
        self.counts.unsaid_failed.fetch_add(dropped, Relaxed);
        failure.map_or(Ok(()), Err)
    }

    fn say_dropped(&self, file: &mut ActiveFile) -> io::Result<()> {
        let full = self.counts.unsaid_full.swap(0, Relaxed);
        let failed = self.counts.unsaid_failed.swap(0, Relaxed);
        if full + failed == 0 {
            return Ok(());
        }
        let time = self.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            line,
            "{{\"timestamp\":\"{time}\",\"level\":\"WARN\",\"fields\":{{\"message\":\"log lines were dropped\",\
             \"queue_full\":{full},\"write_failed\":{failed}}},\"target\":\"{}\"}}",
            module_path!()
        );
        let failure = file.append(line.as_bytes()).failure;
        if let Some(error) = failure {
            self.counts.unsaid_full.fetch_add(full, Relaxed);
            self.counts.unsaid_failed.fetch_add(failed, Relaxed);
            return Err(error);
        }
        Ok(())
    }

    /// What the writing thread does until the log is closed.
    pub(super) fn run(&self) {
        let mut lines = Vec::new();
        loop {
            match self.queue.take(&mut lines, self.options.flush_interval) {
                Taken::Lines(positions) => {
                    // A failure is counted, and the next line tells of it.
                    let _ = self.write(Some(positions.start), &lines);
                    self.lock_file().note_handed(positions.end);
                    self.queue.note_handed();
                    lines.clear();
                }
                Taken::Nothing => self.look_after_file(),
                Taken::End => return self.end_journal(),
            }
        }
    }

    /// Whoever writes later does so without a journal.
    fn end_journal(&self) {
        self.lock_file().detach();
        if let Some(journal) = &self.journal {
            // It is empty, and one that stays is found so.
            let _ = journal.remove();
        }
    }

    fn look_after_file(&self) {
        let mut file = self.lock_file();
        let rotations = file.rotations;
        file.rotate_if_old(self.clock.monotonic());
        let has_closed = file.rotations > rotations;
        drop(file);
        if has_closed {
            self.bell.ring();
        }
    }

    pub(super) fn stats(&self) -> LogStats {
        let file = self.lock_file();
        let counts = &self.counts;
        LogStats {
            lines_written: counts.lines_written.load(Relaxed),
            lines_dropped_full: counts.lines_dropped_full.load(Relaxed),
            lines_dropped_failed: counts.lines_dropped_failed.load(Relaxed),
            lines_refused: counts.lines_refused.load(Relaxed),
            rotations: file.rotations,
            rotations_failed: file.rotations_failed,
            reopened: file.reopened,
            care_failed: counts.care_failed.load(Relaxed),
        }
    }

    fn lock_file(&self) -> MutexGuard<'_, ActiveFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}
