//! The giving end of a restore.

use std::collections::VecDeque;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};
use bytes::Bytes;

use super::ancestry::Ancestry;
use super::frame_cache::FrameCache;
use super::index::IndexEntry;
use super::read_plan::{ReadPlan, Step};
use super::{BackupRecord, Entry, PresentFiles, Repository};

/// Steps that are planned ahead, at most.
const STEPS: usize = 16_384;
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
/// from the indexes alone. Frames are read ahead in parallel and handed out only after they were decrypted
/// and their hash was checked, so that no damaged byte reaches a backend. Memory is bounded by some 64 MiB
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
            frames: FrameCache::new(repository.clone(), &context.cancel),
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

    /// Leaves out all entries but those that are wanted. To be called before the first piece.
    pub fn retain(&mut self, wanted: impl Fn(&Entry) -> bool) {
        Arc::make_mut(&mut self.entries).retain(|entry| wanted(&entry.entry));
        self.plan.set_entries(Arc::clone(&self.entries));
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
