//! The receiving end of a capture.

use std::collections::VecDeque;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, Result, TaskHandle, TaskSet, blocking};
use bytes::{Bytes, BytesMut};

use super::frame::EncodedFrame;
use super::index::{FrameRef, Index};
use super::{BackupStats, Entry, EntryKind, Layout, Repository, encode_frame};

/// Raw bytes of a frame. Larger frames compress little better; smaller ones make the index longer.
const FRAME_BYTES: usize = 1 << 20;
/// Stored bytes after which a pack is sent: large enough that a request's delay counts little, small
/// enough that several in flight stay within the memory budget.
const PACK_BYTES: usize = 8 << 20;
/// Packs on their way to the store at once.
const UPLOADS: usize = 3;
/// Frames being compressed at once, at most: one for each processor and one waiting.
const COMPRESSIONS_MAX: usize = 8;

/// The receiving end of a capture: a backend streams named files into it, and it cuts, hashes, compresses
/// and packs them and sends them to the store.
///
/// Memory is bounded whatever the size of the files: at most `UPLOADS + 1` packs and `COMPRESSIONS_MAX + 1`
/// frames. Nothing becomes visible before the repository commits; dropping the writer abandons what was
/// sent.
#[derive(Debug)]
pub struct SnapshotWriter {
    repository: Repository,
    context: JobContext,
    tasks: TaskSet,
    index: Index,
    open_file: bool,
    frame: BytesMut,
    compressing: VecDeque<TaskHandle<Result<Result<EncodedFrame>>>>,
    compressions: usize,
    pack: BytesMut,
    uploading: VecDeque<TaskHandle<Result<()>>>,
    stats: BackupStats,
}

impl SnapshotWriter {
    pub(crate) fn new(repository: Repository, context: &JobContext) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            repository,
            context: context.clone(),
            tasks: TaskSet::new(&context.cancel),
            index: Index::default(),
            open_file: false,
            frame: BytesMut::with_capacity(FRAME_BYTES),
            compressing: VecDeque::new(),
            compressions: (processors + 1).min(COMPRESSIONS_MAX),
            pack: BytesMut::new(),
            uploading: VecDeque::new(),
            stats: BackupStats::default(),
        }
    }

    /// The repository that is written to, for a backend that keeps a log there.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Adds a folder, which may stay empty.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a path that leaves the root.
    pub fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.add(Entry { path: path.to_owned(), kind: EntryKind::Directory, mode, modified: 0 })
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a path that leaves the root.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<()> {
        let kind = EntryKind::Symlink { target: target.to_owned() };
        self.add(Entry { path: path.to_owned(), kind, mode: 0o777, modified: 0 })
    }

    /// Begins a file, which ends where the next entry begins. `modified` is in seconds since 1970.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a path that leaves the root.
    pub fn begin_file(&mut self, path: &str, mode: u32, modified: i64) -> Result<()> {
        self.add(Entry { path: path.to_owned(), kind: EntryKind::File { bytes: 0 }, mode, modified })?;
        self.open_file = true;
        self.stats.files += 1;
        Ok(())
    }

    /// Appends to the file begun last. Waits while compression or the store lag behind.
    ///
    /// # Errors
    /// The store's, also for data written earlier; [`ErrorKind::Cancelled`] if the caller asked to stop.
    pub async fn write(&mut self, mut data: &[u8]) -> Result<()> {
        let Some(Entry { kind: EntryKind::File { bytes }, .. }) =
            self.index.entries.last_mut().filter(|_| self.open_file)
        else {
            return Err(Error::new(ErrorKind::Internal, "capture", "data came before a file was begun"));
        };
        *bytes += data.len() as u64;
        self.stats.raw_bytes += data.len() as u64;
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(FRAME_BYTES - self.frame.len()));
            self.frame.extend_from_slice(now);
            data = later;
            if self.frame.len() == FRAME_BYTES {
                self.cut_frame().await?;
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry) -> Result<()> {
        Entry::check_path(&entry.path)?;
        self.open_file = false;
        self.index.entries.push(entry);
        Ok(())
    }

    async fn cut_frame(&mut self) -> Result<()> {
        self.context.check("capture")?;
        let raw = std::mem::replace(&mut self.frame, BytesMut::with_capacity(FRAME_BYTES)).freeze();
        let compression = self.repository.options.compression;
        self.compressing.push_back(self.tasks.spawn(blocking(move || encode_frame(&raw, compression))));
        while self.compressing.len() >= self.compressions {
            self.take_compressed().await?;
        }
        Ok(())
    }

    /// Moves the oldest frame into the pack, in order.
    async fn take_compressed(&mut self) -> Result<()> {
        let Some(task) = self.compressing.pop_front() else { return Ok(()) };
        let frame = task.result().await???;
        if self.pack.is_empty() {
            self.pack.reserve(PACK_BYTES + FRAME_BYTES);
            self.index.packs.push(Id::new(self.context.now(), &*self.context.entropy));
        }
        let too_large =
            |_| Error::new(ErrorKind::ResourceExhausted, "capture", "the backup has too many packs");
        self.index.frames.push(FrameRef {
            pack: u32::try_from(self.index.packs.len() - 1).map_err(too_large)?,
            offset: self.pack.len() as u64,
            stored: u32::try_from(frame.bytes.len()).map_err(too_large)?,
            raw: frame.raw_bytes,
            hash: frame.hash,
        });
        self.pack.extend_from_slice(&frame.bytes);
        self.stats.stored_bytes += frame.bytes.len() as u64;
        self.context.progress.add(u64::from(frame.raw_bytes));
        if self.pack.len() >= PACK_BYTES { self.send_pack().await } else { Ok(()) }
    }

    async fn send_pack(&mut self) -> Result<()> {
        let Some(&id) = self.index.packs.last().filter(|_| !self.pack.is_empty()) else { return Ok(()) };
        let data: Bytes = std::mem::take(&mut self.pack).freeze();
        let (store, cancel) = (Arc::clone(&self.repository.store), self.tasks.cancel_token().clone());
        let key = Layout::pack(id);
        self.uploading.push_back(self.tasks.spawn(async move {
            tokio::select! {
                biased;
                outcome = store.put(&key, data) => outcome,
                () = cancel.cancelled() => {
                    Err(Error::new(ErrorKind::Cancelled, "capture", "the caller asked to stop"))
                }
            }
        }));
        while self.uploading.len() >= UPLOADS {
            self.take_uploaded().await?;
        }
        Ok(())
    }

    async fn take_uploaded(&mut self) -> Result<()> {
        match self.uploading.pop_front() {
            Some(task) => task.result().await?,
            None => Ok(()),
        }
    }

    /// Waits until everything is stored.
    pub(crate) async fn finish(mut self) -> Result<(Index, BackupStats)> {
        if !self.frame.is_empty() {
            self.cut_frame().await?;
        }
        while !self.compressing.is_empty() {
            self.take_compressed().await?;
        }
        self.send_pack().await?;
        while !self.uploading.is_empty() {
            self.take_uploaded().await?;
        }
        Ok((std::mem::take(&mut self.index), self.stats))
    }
}
