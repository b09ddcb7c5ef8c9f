//! The giving end of a restore.

use std::collections::VecDeque;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};
use bytes::Bytes;

use super::ancestry::Ancestry;
use super::frame_cache::FrameCache;
use super::index::IndexEntry;
use super::read_plan::{ReadPlan, Step};
use super::sealer::Check;
use super::{BackupRecord, Entry, PresentFiles, Repository};

/// Steps that are planned ahead, at most.
const STEPS: usize = 16_384;
/// Entries of so many bytes are kept together when readers share the work.
const GROUP_BYTES: u64 = 16 << 20;
/// Zeros are handed out in pieces of at most this length.
static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// One piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The next entry. A file's content follows it.
    Entry(Entry),
    /// Bytes of the file begun last, in ascending order and without gaps, except for what
    /// [lies there already](SnapshotReader::skip_present).
    Data {
        /// Where they belong in the file.
        offset: u64,
        /// At most a few MiB.
        data: Bytes,
    },
}

/// The giving end of a restore: entries and their content in the order in which they were captured.
///
/// However many backups a snapshot stands on, it is read as if it were one: where each page lies is known
/// from the indexes alone. Frames are read ahead in parallel and handed out only after their hash or, in
/// encrypted repositories, the cipher's tag was checked, so that no damaged byte reaches a backend. Memory is bounded by some 64 MiB
/// of frames, 32 MiB of maps, and the tables of the indexes.
#[derive(Debug)]
pub struct SnapshotReader {
    repository: Repository,
    record: BackupRecord,
    context: JobContext,
    entries: Arc<Vec<IndexEntry>>,
    plan: ReadPlan,
    planned: bool,
    steps: VecDeque<Step>,
    frames: FrameCache,
}

impl SnapshotReader {
    pub(super) async fn open(
        repository: Repository,
        record: BackupRecord,
        context: &JobContext,
    ) -> Result<Self> {
        let mut ancestry = Ancestry::new(repository.clone());
        let (_, index) = ancestry.load(record.index_ref()?).await?;
        let entries = Arc::new(index.entries);
        Ok(Self {
            frames: FrameCache::new(repository.clone(), Check::Tag, &context.cancel),
            repository,
            record,
            context: context.clone(),
            plan: ReadPlan::new(ancestry, Arc::clone(&entries)),
            entries,
            planned: false,
            steps: VecDeque::new(),
        })
    }

    /// The backup that is read.
    #[must_use]
    pub const fn record(&self) -> &BackupRecord {
        &self.record
    }

    /// The repository that is read, for a backend that keeps a log there.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Everything that the snapshot holds, known before any content is read.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter().map(|entry| &entry.entry)
    }

    /// Has the hash of everything checked, even where the cipher's tag tells that it is unchanged.
    pub(crate) fn check_hashes(&mut self) {
        self.frames.check = Check::Hash;
    }

    /// Leaves out all entries but those that are wanted. To be called before the first piece.
    pub fn retain(&mut self, wanted: impl Fn(&Entry) -> bool) {
        Arc::make_mut(&mut self.entries).retain(|entry| wanted(&entry.entry));
        self.plan = self.plan.with_entries(Arc::clone(&self.entries));
    }

    /// Several readers that together read the same, for work in parallel: each has about the same number of
    /// bytes, whole files, and its own memory. To be called before the first piece.
    #[must_use]
    pub fn split(self, readers: usize) -> Vec<Self> {
        let shares = share_out(&self.entries, readers.max(1));
        let share = |entries: Vec<IndexEntry>| {
            let entries = Arc::new(entries);
            Self {
                frames: FrameCache::new(self.repository.clone(), self.frames.check, &self.context.cancel),
                repository: self.repository.clone(),
                record: self.record.clone(),
                context: self.context.clone(),
                plan: self.plan.with_entries(Arc::clone(&entries)),
                entries,
                planned: false,
                steps: VecDeque::new(),
            }
        };
        shares.into_iter().map(share).collect()
    }

    /// From here on, leaves out pages that lie at the destination already: they are compared by their
    /// hashes, and only those that differ are read. To be called before the first piece.
    pub fn skip_present(&mut self, present: Arc<dyn PresentFiles>) {
        self.plan.skip_present(present, self.repository.sealer.clone());
    }

    /// Bytes left out so far.
    #[must_use]
    pub const fn present_bytes(&self) -> u64 {
        self.plan.present_bytes
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Corrupt`] for data that is not what was captured, naming the object.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        self.context.check("restore")?;
        self.plan_ahead().await?;
        let Some(step) = self.steps.pop_front() else { return Ok(None) };
        let (offset, data) = match step {
            Step::Entry(entry) => return Ok(Some(Piece::Entry(entry))),
            Step::Zeros { offset, bytes } => {
                let now = usize::try_from(bytes).unwrap_or(usize::MAX).min(ZEROS.len());
                if bytes > now as u64 {
                    let rest = Step::Zeros { offset: offset + now as u64, bytes: bytes - now as u64 };
                    self.steps.push_front(rest);
                }
                (offset, Bytes::from_static(&ZEROS[..now]))
            }
            Step::Data { offset, source, frame, from, bytes } => {
                let data = self.frames.take((source, frame), &self.plan.ancestry).await?;
                let at = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
                let end = at(from).saturating_add(at(bytes));
                if end > data.len() {
                    let what = "a page lies outside of its frame";
                    return Err(Error::new(ErrorKind::Corrupt, "restore", what));
                }
                (offset, data.slice(at(from)..end))
            }
        };
        self.context.progress.add(data.len() as u64);
        Ok(Some(Piece::Data { offset, data }))
    }

    async fn plan_ahead(&mut self) -> Result<()> {
        while !self.planned && self.frames.has_room() && self.steps.len() < STEPS {
            let Some(step) = self.plan.next().await? else {
                self.planned = true;
                break;
            };
            if let Step::Data { source, frame, .. } = step {
                self.frames.want((source, frame), &self.plan.ancestry)?;
            }
            self.steps.push_back(step);
        }
        // Not held back for neighbours once nothing else is on its way.
        if self.planned || !self.frames.is_reading() {
            self.frames.start(&self.plan.ancestry)?;
        }
        Ok(())
    }
}

/// Divides entries into shares of about the same number of bytes. Neighbours stay together, since their
/// content lies in the same frames.
fn share_out(entries: &[IndexEntry], shares: usize) -> Vec<Vec<IndexEntry>> {
    let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let bytes = entry.entry.bytes();
        match groups.last_mut() {
            Some((held, group)) if *held + bytes <= GROUP_BYTES => {
                *held += bytes;
                group.push(number);
            }
            _ => groups.push((bytes, vec![number])),
        }
    }
    // The largest group first, each to whoever has least.
    groups.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let mut lots: Vec<(u64, Vec<usize>)> = vec![(0, Vec::new()); shares];
    for (bytes, group) in groups {
        if let Some(least) = lots.iter_mut().min_by_key(|(held, _)| *held) {
            least.0 += bytes;
            least.1.extend(group);
        }
    }
    let share = |(_, mut numbers): (u64, Vec<usize>)| {
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| entries.get(number).cloned()).collect()
    };
    lots.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EntryKind;

    #[test]
    fn shares_are_even_and_complete() {
        let entry = |number: u64, bytes| IndexEntry {
            entry: Entry {
                path: format!("{number:04}"),
                kind: EntryKind::File { bytes },
                mode: 0o600,
                modified: 0,
            },
            segments: Vec::new(),
        };
        let mut entries: Vec<IndexEntry> = (0..2000).map(|number| entry(number, 16 << 10)).collect();
        entries.push(entry(2000, 1 << 30));
        entries.push(entry(2001, 1000 << 20));
        let shares = share_out(&entries, 2);
        let bytes: Vec<u64> =
            shares.iter().map(|share| share.iter().map(|entry| entry.entry.bytes()).sum()).collect();
        assert!(bytes[0].abs_diff(bytes[1]) < 40 << 20, "{bytes:?}");
        let mut all: Vec<IndexEntry> = shares.into_iter().flatten().collect();
        all.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        assert_eq!(all, entries);
        assert_eq!(share_out(&[], 3), vec![Vec::new(); 3]);
    }
}
