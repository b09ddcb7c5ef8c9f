//! The file that is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::SharedClock;
use chrono::{DateTime, Utc};

use super::close_time::CloseTime;
use super::closed_file::ClosedFile;
use super::handed::{Handed, Identity};
use super::journal::Journal;
use super::options::LogOptions;
use super::whole_lines::{cut_half_line, first_line, whole};

/// How often the file is looked for under its name. What is written between its removal and the next look is lost with
/// it; what was renamed keeps it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a file that could not be closed is written further before the next attempt.
const ROTATION_RETRY: Duration = Duration::from_secs(1);

/// Writes some of the bytes, as [`Write::write`] does. Tests put a full disk here.
pub(super) type Append = Box<dyn FnMut(&mut File, &[u8]) -> io::Result<usize> + Send>;

/// The file that is written, and when it is closed.
pub(super) struct ActiveFile {
    path: PathBuf,
    file: File,
    append: Append,
    clock: SharedClock,
    bytes: u64,
    identity: Identity,
    handed: Option<Handed>,
    bytes_max: u64,
    line_bytes_max: usize,
    next_sequence: u64,
    close_time: CloseTime,
    look_at: Duration,
    rotate_not_before: Duration,
    pub(super) rotations: u64,
    pub(super) rotations_failed: u64,
    pub(super) reopened: u64,
}

/// How much of some lines was written, and why not all.
pub(super) struct Appended {
    /// Bytes of whole lines.
    pub(super) bytes: usize,
    pub(super) failure: Option<io::Error>,
}

impl ActiveFile {
    /// Opens the file at `path`, or makes it. The half of a line at its end, which a killed process left, is cut off.
    pub(super) fn open(path: &Path, options: &LogOptions, clock: SharedClock) -> io::Result<Self> {
        let file = open_append(path)?;
        let next_sequence = ClosedFile::list(path)?.last().map_or(1, |file| file.sequence.saturating_add(1));
        let modified = DateTime::<Utc>::from(file.metadata()?.modified()?);
        let mut opened = Self {
            path: path.to_owned(),
            file,
            append: Box::new(|file, lines| file.write(lines)),
            bytes: 0,
            identity: (0, 0),
            handed: None,
            bytes_max: options.file_bytes_max,
            line_bytes_max: options.line_bytes_max,
            next_sequence,
            close_time: CloseTime::new(options.file_age_max),
            look_at: Duration::ZERO,
            rotate_not_before: Duration::ZERO,
            rotations: 0,
            rotations_failed: 0,
            reopened: 0,
            clock,
        };
        opened.adopt()?;
        let now = opened.clock.now();
        if opened.bytes > 0 && opened.close_time.is_of_earlier_period(modified, now) {
            opened.close_time.bring_forward();
        }
        Ok(opened)
    }

    #[cfg(test)]
    pub(super) fn set_append(&mut self, append: Append) {
        self.append = append;
    }

    /// Goes on from where a journal's process died. Marks in it from now on up to where its lines are written.
    pub(super) fn attach(&mut self, journal: Arc<Journal>) -> io::Result<()> {
        self.handed = Some(Handed::resume(journal, &mut self.file, self.identity, self.bytes)?);
        Ok(())
    }

    /// Writes all that waits in the journal that is attached.
    pub(super) fn drain(&mut self, journal: &Journal) -> io::Result<()> {
        let (mut lines, waiting) = (Vec::new(), journal.waiting());
        journal.read(waiting.clone(), &mut lines)?;
        self.append_from(Some(waiting.start), &lines).failure.map_or(Ok(()), Err)
    }

    /// Nothing of a journal is handed over any more.
    pub(super) fn detach(&mut self) {
        self.handed = None;
    }

    /// Notes that the journal's lines up to `position` were written or dropped.
    pub(super) fn note_handed(&mut self, position: u64) {
        if let Some(handed) = &mut self.handed {
            handed.advance(position, self.identity, self.bytes);
        }
    }

    /// Notes how long the file is.
    fn mark(&self) {
        if let Some(handed) = &self.handed {
            handed.mark(self.identity, self.bytes);
        }
    }

    /// Writes whole lines, and closes the file in between where it is full or old. No file ends within a line.
    pub(super) fn append(&mut self, lines: &[u8]) -> Appended {
        self.append_from(None, lines)
    }

    /// The same with lines that stand in the journal from this position on.
    pub(super) fn append_from(&mut self, mut position: Option<u64>, mut lines: &[u8]) -> Appended {
        let mut appended = Appended { bytes: 0, failure: None };
        let now = self.clock.monotonic();
        if let Err(failure) = self.look(now, false) {
            appended.failure = Some(failure);
            return appended;
        }
        self.rotate_if_old(now);
        while !lines.is_empty() {
            let mut fitting = self.fitting(lines);
            if fitting == 0 {
                self.rotate();
                fitting = self.fitting(lines);
            }
            if fitting == 0 {
                // It could not be closed: better a large file than a lost line.
                fitting = first_line(lines);
            }
            let (now, later) = lines.split_at(fitting);
            let part = self.append_here(now);
            appended.bytes += part.bytes;
            match &mut position {
                Some(position) => {
                    *position += part.bytes as u64;
                    self.note_handed(*position);
                }
                None => self.mark(),
            }
            if part.failure.is_some() {
                appended.failure = part.failure;
                break;
            }
            lines = later;
        }
        appended
    }

    /// Closes the file if its time has come and there is something in it.
    pub(super) fn rotate_if_old(&mut self, now: Duration) {
        if self.close_time.has_come(now) {
            if self.bytes > 0 {
                self.rotate();
            } else {
                self.close_time.schedule(&self.clock);
            }
        }
    }

    /// How many bytes of `lines` belong into this file; none if it is full.
    fn fitting(&self, lines: &[u8]) -> usize {
        let room = usize::try_from(self.bytes_max.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        if lines.len() <= room {
            return lines.len();
        }
        let whole = whole(&lines[..room]);
        if whole == 0 && self.bytes == 0 { first_line(lines) } else { whole }
    }

    fn append_here(&mut self, lines: &[u8]) -> Appended {
        let mut done = 0;
        let failure = loop {
            match (self.append)(&mut self.file, &lines[done..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
            if done == lines.len() {
                break None;
            }
        };
        let whole = whole(&lines[..done]);
        if whole < done {
            self.cut(done - whole);
        }
        self.bytes += whole as u64;
        Appended { bytes: whole, failure }
    }

    /// Takes the half of a line off the end. If even that fails, the next opening or look does it.
    fn cut(&mut self, half: usize) {
        let length = self.file.metadata().map(|metadata| metadata.len());
        let cut = length.and_then(|length| self.file.set_len(length.saturating_sub(half as u64)));
        if cut.is_err() {
            self.look_at = Duration::ZERO;
        }
    }

    /// Sees whether the file still has its name, if it is time to, and makes a new one if not.
    fn look(&mut self, now: Duration, at_once: bool) -> io::Result<()> {
        if !at_once && now < self.look_at {
            return Ok(());
        }
        self.look_at = now + LOOK_EVERY;
        let ours = self.file.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(named) if (named.dev(), named.ino()) == self.identity => {
                // Somebody may have emptied it, or half a line could not be cut off.
                if ours.len() != self.bytes {
                    cut_half_line(&mut self.file, self.line_bytes_max)?;
                    self.bytes = self.file.metadata()?.len();
                }
                self.mark();
                Ok(())
            }
            _ => {
                self.file = open_append(&self.path)?;
                self.reopened += 1;
                self.adopt()
            }
        }
    }

    /// Gives the file the name of a closed one and begins a new one. If that fails, the old one is written further.
    fn rotate(&mut self) {
        if self.clock.monotonic() < self.rotate_not_before {
            return;
        }
        match self.try_rotate() {
            Ok(()) => {}
            Err(_) => {
                self.rotations_failed += 1;
                self.rotate_not_before = self.clock.monotonic() + ROTATION_RETRY;
            }
        }
    }

    fn try_rotate(&mut self) -> io::Result<()> {
        let reopened = self.reopened;
        self.look(self.clock.monotonic(), true)?;
        if self.reopened > reopened || self.bytes == 0 {
            return Ok(());
        }
        let closed = loop {
            let closed = ClosedFile::path_for(&self.path, self.clock.now(), self.next_sequence);
            self.next_sequence = self.next_sequence.saturating_add(1);
            if !closed.try_exists()? {
                break closed;
            }
        };
        fs::rename(&self.path, &closed)?;
        match open_append(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => {
                // The old one goes on under its old name.
                fs::rename(&closed, &self.path)?;
                return Err(error);
            }
        }
        self.rotations += 1;
        self.adopt()
    }

    /// Begins with the file as it is.
    fn adopt(&mut self) -> io::Result<()> {
        cut_half_line(&mut self.file, self.line_bytes_max)?;
        let metadata = self.file.metadata()?;
        (self.bytes, self.identity) = (metadata.len(), (metadata.dev(), metadata.ino()));
        self.mark();
        self.close_time.schedule(&self.clock);
        Ok(())
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::SystemClock;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn half_a_line_that_could_not_be_cut_off_goes_at_the_next_look() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("app.log");
        let mut file = ActiveFile::open(&path, &LogOptions::default(), SystemClock::shared()).unwrap();
        assert!(file.append(b"one\n").failure.is_none());
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"tw").unwrap();
        file.look_at = Duration::ZERO;
        assert!(file.append(b"three\n").failure.is_none());
        assert_eq!(fs::read(&path).unwrap(), b"one\nthree\n");
        assert_eq!(file.bytes, 10);
    }
}
