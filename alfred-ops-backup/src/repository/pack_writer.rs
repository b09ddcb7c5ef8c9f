//! From frames to packs in the store.

use std::collections::VecDeque;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, Result, TaskHandle, TaskSet};

use super::index::FrameRef;
use super::sealer::SealedFrame;
use super::{Layout, Repository};
use crate::Buffer;

/// Stored bytes of a pack, at most: large enough that a request's delay counts little, small
/// enough that several in flight stay within the memory budget.
const PACK_BYTES: usize = 8 << 20;
/// Packs on their way to the store at once.
const UPLOADS: usize = 4;

/// Joins frames to packs and sends them. Memory is bounded by `UPLOADS + 1` packs.
#[derive(Debug)]
pub(super) struct PackWriter {
    repository: Repository,
    context: JobContext,
    tasks: TaskSet,
    pub(super) packs: Vec<Id>,
    pack: Buffer,
    uploading: VecDeque<TaskHandle<Result<()>>>,
    pub(super) stored_bytes: u64,
}

impl PackWriter {
    pub(super) fn new(repository: Repository, context: &JobContext) -> Self {
        Self {
            repository,
            context: context.clone(),
            tasks: TaskSet::new(&context.cancel),
            packs: Vec::new(),
            pack: Buffer::default(),
            uploading: VecDeque::new(),
            stored_bytes: 0,
        }
    }

    /// Adds a frame and tells where it will lie. Waits while the store lags behind.
    pub(super) async fn add(&mut self, frame: &SealedFrame) -> Result<FrameRef> {
        let too_large =
            |_| Error::new(ErrorKind::ResourceExhausted, "capture", "the backup has too many packs");
        if self.pack.len() + frame.bytes.len() > PACK_BYTES {
            self.send().await?;
        }
        if self.pack.is_empty() {
            self.pack = Buffer::with_capacity(PACK_BYTES.max(frame.bytes.len()));
            self.packs.push(Id::new(self.context.now(), &*self.context.entropy));
        }
        let place = FrameRef {
            pack: u32::try_from(self.packs.len() - 1).map_err(too_large)?,
            offset: u32::try_from(self.pack.len()).map_err(too_large)?,
            stored: u32::try_from(frame.bytes.len()).map_err(too_large)?,
            raw: frame.raw_bytes,
            id: frame.id,
        };
        self.pack.extend_from_slice(&frame.bytes);
        self.stored_bytes += frame.bytes.len() as u64;
        Ok(place)
    }

    async fn send(&mut self) -> Result<()> {
        let Some(&id) = self.packs.last().filter(|_| !self.pack.is_empty()) else { return Ok(()) };
        let data = std::mem::take(&mut self.pack).freeze();
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
        while self.uploading.len() > UPLOADS {
            self.take_uploaded().await?;
        }
        Ok(())
    }

    async fn take_uploaded(&mut self) -> Result<()> {
        match self.uploading.pop_front() {
            Some(task) => task.await?,
            None => Ok(()),
        }
    }

    /// Waits until everything is stored.
    pub(super) async fn finish(&mut self) -> Result<()> {
        self.send().await?;
        while !self.uploading.is_empty() {
            self.take_uploaded().await?;
        }
        Ok(())
    }
}
