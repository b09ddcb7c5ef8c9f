//! The giving end of a restore.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, TaskHandle, TaskSet, blocking};
use bytes::Bytes;

use super::index::{FrameRef, Index};
use super::{BackupRecord, Entry, Layout, Repository, decode_frame};
use crate::BlobStore;

/// Raw bytes of one read: several frames that lie side by side cost one request.
const READ_RAW_BYTES: u64 = 8 << 20;
/// Reads under way at once.
const READS: usize = 4;

/// One piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The next entry. A file's content follows it.
    Entry(Entry),
    /// The next bytes of the file begun last.
    Data(Bytes),
}

/// The giving end of a restore: entries and their content in the order in which they were captured.
///
/// Frames are read ahead in parallel and handed out only after their hash was checked, so that no damaged
/// byte reaches a backend. Memory is bounded by `READS` reads of 8 MiB.
#[derive(Debug)]
pub struct SnapshotReader {
    repository: Repository,
    record: BackupRecord,
    context: JobContext,
    tasks: TaskSet,
    index: Arc<Index>,
    next_entry: usize,
    next_frame: usize,
    reading: VecDeque<TaskHandle<Result<Vec<Bytes>>>>,
    ready: VecDeque<Bytes>,
    /// Content of the present file that is still to come.
    owed: u64,
}

impl SnapshotReader {
    pub(super) async fn open(
        repository: Repository,
        record: BackupRecord,
        context: &JobContext,
    ) -> Result<Self> {
        let index = Arc::new(repository.load_index(&record).await?);
        Ok(Self {
            repository,
            record,
            context: context.clone(),
            tasks: TaskSet::new(&context.cancel),
            index,
            next_entry: 0,
            next_frame: 0,
            reading: VecDeque::new(),
            ready: VecDeque::new(),
            owed: 0,
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
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.index.entries
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Corrupt`] for data that is not what was captured, naming the object.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        self.context.check("restore")?;
        if self.owed == 0 {
            let Some(entry) = self.index.entries.get(self.next_entry).cloned() else { return Ok(None) };
            self.next_entry += 1;
            self.owed = entry.bytes();
            return Ok(Some(Piece::Entry(entry)));
        }
        let mut data = self.next_frame_data().await?;
        let wanted = usize::try_from(self.owed).unwrap_or(usize::MAX);
        if data.len() > wanted {
            self.ready.push_front(data.split_off(wanted));
        }
        self.owed -= data.len() as u64;
        self.context.progress.add(data.len() as u64);
        Ok(Some(Piece::Data(data)))
    }

    async fn next_frame_data(&mut self) -> Result<Bytes> {
        loop {
            self.read_ahead();
            if let Some(data) = self.ready.pop_front() {
                return Ok(data);
            }
            let task = self.reading.pop_front().ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "restore", "the index names less data than its files hold")
            })?;
            self.ready.extend(task.result().await??);
        }
    }

    fn read_ahead(&mut self) {
        while self.reading.len() < READS {
            let Some(run) = self.index.run_from(self.next_frame, READ_RAW_BYTES) else { return };
            self.next_frame = run.end;
            let (store, index) = (Arc::clone(&self.repository.store), Arc::clone(&self.index));
            self.reading.push_back(self.tasks.spawn(async move { read_run(&*store, &index, run).await }));
        }
    }
}

impl Index {
    /// The frames from `first` on that lie side by side in one pack and hold at most `raw_limit` bytes,
    /// but at least one.
    fn run_from(&self, first: usize, raw_limit: u64) -> Option<Range<usize>> {
        let start = self.frames.get(first)?;
        let mut raw = u64::from(start.raw);
        let mut end = first + 1;
        while let (Some(last), Some(next)) = (self.frames.get(end - 1), self.frames.get(end)) {
            raw += u64::from(next.raw);
            if next.pack != last.pack
                || next.offset != last.offset + u64::from(last.stored)
                || raw > raw_limit
            {
                break;
            }
            end += 1;
        }
        Some(first..end)
    }
}

/// Fetches a run of frames by one request and checks each.
async fn read_run(store: &dyn BlobStore, index: &Index, run: Range<usize>) -> Result<Vec<Bytes>> {
    let frames: Vec<FrameRef> = index.frames[run].to_vec();
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(Vec::new()) };
    let key = Layout::pack(index.pack_of(first)?);
    let start = first.offset;
    let stored = store.get_range(&key, start..last.offset + u64::from(last.stored)).await?;
    let target = format!("{}/{key}", store.location());
    blocking(move || {
        let decode = |frame: &FrameRef| {
            let from = usize::try_from(frame.offset - start).unwrap_or(usize::MAX);
            let to = usize::try_from(frame.offset - start + u64::from(frame.stored)).unwrap_or(usize::MAX);
            let bytes = stored.get(from..to).ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "read frame", "the pack is shorter than its index says")
            })?;
            decode_frame(bytes, Some(frame.hash))
        };
        frames.iter().map(|frame| decode(frame).map_err(|error| error.with_target(target.clone()))).collect()
    })
    .await?
}
