//! Lines that outlive their process on the way to the log's file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Release};

use rustix::fs::fstatfs;
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory};

use super::closed_file::folder;

const MAGIC: u64 = u64::from_le_bytes(*b"alfdlog1");

// Where the words of the header are. Those that change lie in cache lines of their own.
const MAGIC_AT: usize = 0;
const TAKEN_AT: usize = 64;
const MARK_AT: usize = 128;
const MARKS_AT: [usize; 2] = [192, 256];
/// The ring begins behind the header.
const RING_AT: usize = 4096;

/// Kinds of file systems on which a page that was written once can be written again whatever else fills the disk: ext,
/// XFS, tmpfs, and overlays on them. One that copies on write kills who writes to a mapped page while it is full.
const KINDS: [i64; 4] = [0xef53, 0x5846_5342, 0x0102_1994, 0x794c_7630];

/// Lines that the kernel has and the log's file does not have yet: a ring in a file that is mapped into memory.
///
/// What is copied there is the kernel's at once, without a system call, and is there after `kill -9`. Positions count
/// bytes and only grow. The file has all before `Mark::handed`; what lies between this and what was taken waits.
#[derive(Debug)]
pub(super) struct Journal {
    region: MmapRegion,
    path: PathBuf,
}

/// Up to where lines have been handed over, and how long the log's file was then. A process may die between the two: what
/// the file has grown by since is compared with what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) handed: u64,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) length: u64,
}

impl Journal {
    /// The journal that a process left; none if there is none, or one that nobody can read, which goes.
    pub(super) fn left(log: &Path) -> io::Result<Option<Self>> {
        let path = path_for(log);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut magic = [0; 8];
        let is_journal = (&file).read_exact(&mut magic).is_ok() && u64::from_ne_bytes(magic) == MAGIC;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if is_journal && length > RING_AT {
            let journal = Self::map(path, file, length)?;
            let (taken, mark) = (journal.word(TAKEN_AT)?, journal.mark()?);
            if taken.checked_sub(mark.handed).is_some_and(|waiting| waiting <= journal.capacity() as u64) {
                return Ok(Some(journal));
            }
        }
        fs::remove_file(path_for(log))?;
        Ok(None)
    }

    /// An empty journal for the log at `log`, with room for `capacity` bytes. `Err` of the kind `Unsupported` on a file system
    /// where a full disk would kill the process.
    pub(super) fn create(log: &Path, capacity: usize) -> io::Result<Self> {
        let path = path_for(log);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        if !KINDS.contains(&fstatfs(&file)?.f_type) {
            fs::remove_file(&path)?;
            return Err(io::ErrorKind::Unsupported.into());
        }
        // Written rather than made longer: each page has its place on the disk before it is mapped.
        let length = RING_AT.saturating_add(capacity);
        let written = io::copy(&mut io::repeat(0).take(length as u64), &mut &file);
        let journal = written.and_then(|_| Self::map(path.clone(), file, length));
        match journal.and_then(|journal| journal.set_word(MAGIC_AT, MAGIC).map(|()| journal)) {
            Ok(journal) => Ok(journal),
            Err(error) => {
                fs::remove_file(&path)?;
                Err(error)
            }
        }
    }

    fn map(path: PathBuf, file: File, length: usize) -> io::Result<Self> {
        let region = MmapRegion::from_file(FileOffset::new(file, 0), length).map_err(io::Error::other)?;
        Ok(Self { region, path })
    }

    /// How many bytes the ring has.
    pub(super) fn capacity(&self) -> usize {
        self.region.size() - RING_AT
    }

    /// The positions of what waits.
    pub(super) fn waiting(&self) -> Range<u64> {
        let handed = self.mark().unwrap_or_default().handed;
        handed..self.word(TAKEN_AT).unwrap_or(handed).max(handed)
    }

    /// Takes lines in at position `at`, where what was taken ends. There must be room.
    pub(super) fn take_in(&self, at: u64, lines: &[u8]) -> io::Result<()> {
        let (place, first) = self.place(at, lines.len());
        let (before, after) = lines.split_at(first);
        self.region.as_volatile_slice().write_slice(before, place).map_err(io::Error::other)?;
        self.region.as_volatile_slice().write_slice(after, RING_AT).map_err(io::Error::other)?;
        // Last, so that a process that dies before has taken nothing.
        self.set_word(TAKEN_AT, at + lines.len() as u64)
    }

    /// Puts what waits at the positions behind `lines`.
    pub(super) fn read(&self, positions: Range<u64>, lines: &mut Vec<u8>) -> io::Result<()> {
        let count =
            usize::try_from(positions.end - positions.start).unwrap_or(usize::MAX).min(self.capacity());
        let (place, first) = self.place(positions.start, count);
        let begin = lines.len();
        lines.resize(begin + count, 0);
        let (before, after) = lines[begin..].split_at_mut(first);
        self.region.as_volatile_slice().read_slice(before, place).map_err(io::Error::other)?;
        self.region.as_volatile_slice().read_slice(after, RING_AT).map_err(io::Error::other)
    }

    /// Up to where lines have been handed over.
    pub(super) fn mark(&self) -> io::Result<Mark> {
        let at = MARKS_AT[usize::from(self.word(MARK_AT)? % 2 == 1)];
        Ok(Mark {
            handed: self.word(at)?,
            device: self.word(at + 8)?,
            inode: self.word(at + 16)?,
            length: self.word(at + 24)?,
        })
    }

    /// Notes up to where lines have been handed over, whole or not at all.
    pub(super) fn set_mark(&self, mark: Mark) -> io::Result<()> {
        let next = self.word(MARK_AT)?.wrapping_add(1);
        let at = MARKS_AT[usize::from(next % 2 == 1)];
        for (word, value) in [mark.handed, mark.device, mark.inode, mark.length].into_iter().enumerate() {
            self.set_word(at + 8 * word, value)?;
        }
        self.set_word(MARK_AT, next)
    }

    /// Removes the file. What it has is lost.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Where a position is, and how many of `count` bytes fit before the ring's end.
    fn place(&self, at: u64, count: usize) -> (usize, usize) {
        let capacity = self.capacity();
        let into = usize::try_from(at % capacity as u64).unwrap_or(0);
        (RING_AT + into, count.min(capacity - into))
    }

    fn word(&self, at: usize) -> io::Result<u64> {
        self.region.as_volatile_slice().load(at, Acquire).map_err(io::Error::other)
    }

    fn set_word(&self, at: usize, value: u64) -> io::Result<()> {
        self.region.as_volatile_slice().store(value, at, Release).map_err(io::Error::other)
    }
}

fn path_for(log: &Path) -> PathBuf {
    folder(log).join(format!(".{}.journal", log.file_name().unwrap_or_default().display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use alfred_ops_core::SystemClock;
    use proptest::prelude::*;

    use super::*;
    use crate::logs::active_file::ActiveFile;
    use crate::logs::closed_file::ClosedFile;
    use crate::logs::options::LogOptions;

    const CAPACITY: usize = 100;

    /// What the process does next.
    #[derive(Debug, Clone)]
    enum Act {
        /// Takes a line with so much in it.
        Take(usize),
        /// Hands over all that waits.
        HandOver,
        /// Dies when it hands over: in the `call`th write, of which the kernel gets so many bytes.
        Die { call: usize, bytes: usize },
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0_usize..30).prop_map(Act::Take),
            1 => Just(Act::HandOver),
            2 => (0_usize..3, 0_usize..80).prop_map(|(call, bytes)| Act::Die { call, bytes }),
        ]
    }

    /// A process that has opened the log.
    fn open(log: &Path) -> (Arc<Journal>, ActiveFile) {
        let options = LogOptions::default().with_file_bytes_max(64);
        let mut file = ActiveFile::open(log, &options, SystemClock::shared()).unwrap();
        let journal = Arc::new(match Journal::left(log).unwrap() {
            Some(journal) => journal,
            None => Journal::create(log, CAPACITY).unwrap(),
        });
        file.attach(Arc::clone(&journal)).unwrap();
        (journal, file)
    }

    fn text(log: &Path) -> String {
        let closed = ClosedFile::list(log).unwrap().into_iter().map(|file| file.path);
        closed.chain([log.to_owned()]).map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    fn play(acts: &[Act]) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("app.log");
        let (mut journal, mut file) = open(&log);
        let mut taken = String::new();
        for act in acts {
            match act {
                Act::Take(filling) => {
                    let line = format!("{} {}\n", taken.len(), "x".repeat(*filling));
                    let waiting = journal.waiting();
                    if waiting.end - waiting.start + line.len() as u64 <= CAPACITY as u64 {
                        journal.take_in(waiting.end, line.as_bytes()).unwrap();
                        taken.push_str(&line);
                    }
                }
                Act::HandOver => file.drain(&journal).unwrap(),
                &Act::Die { call, bytes } => {
                    let mut calls = 0;
                    file.set_append(Box::new(move |file, lines| {
                        calls += 1;
                        if calls <= call {
                            return file.write(lines);
                        }
                        file.write_all(&lines[..bytes.min(lines.len())])?;
                        Err(io::ErrorKind::Other.into())
                    }));
                    let _ = file.drain(&journal);
                    drop((journal, file));
                    (journal, file) = open(&log);
                }
            }
        }
        file.drain(&journal).unwrap();
        assert!(journal.waiting().is_empty());
        assert_eq!(text(&log), taken);
    }

    proptest! {
        #[test]
        fn each_line_reaches_the_file_once_whenever_its_process_dies(acts in prop::collection::vec(act(), 0..60)) {
            play(&acts);
        }
    }

    #[test]
    fn a_journal_that_nobody_can_read_goes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("app.log");
        let check = |bytes: &[u8]| {
            fs::write(path_for(&log), bytes).unwrap();
            assert!(Journal::left(&log).unwrap().is_none());
            assert!(!path_for(&log).exists());
        };
        check(b"");
        check(b"alfdlog1");
        check(&[0; 5_000]);
        // More waits than there is room for.
        let mut bytes = [0; 5_000];
        bytes[..8].copy_from_slice(b"alfdlog1");
        bytes[TAKEN_AT..TAKEN_AT + 8].copy_from_slice(&5_000_u64.to_ne_bytes());
        check(&bytes);
    }
}
