//! Frames on their way from the store, and those that are still needed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, TaskHandle, TaskSet};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Repository;
use super::ancestry::{Ancestry, read_frames};
use super::index::FrameRef;
use super::sealer::Check;

/// Raw bytes of one read: frames that lie side by side cost one request.
const READ_RAW_BYTES: u64 = 4 << 20;
/// Reads under way at once.
const READS: usize = 16;
/// Raw bytes that are read before they are needed.
const AHEAD_BYTES: u64 = 16 << 20;
/// Raw bytes of frames that are kept since pages of them may be needed again: a day of hourly backups above a full
/// one, whose pages take turns.
const IDLE_BYTES: u64 = 28 << 20;

/// A frame: the number of its backup and its own there.
type Key = (u32, u32);

/// Reads frames ahead in parallel, each once as long as it is needed soon again.
#[derive(Debug)]
pub(super) struct FrameCache {
    repository: Repository,
    pub(super) check: Check,
    tasks: TaskSet,
    slots: HashMap<Key, Slot>,
    /// Frames side by side that wait to be read together.
    batch: Vec<(Key, FrameRef)>,
    reads: VecDeque<Read>,
    ahead_bytes: u64,
    idle: VecDeque<Key>,
    idle_bytes: u64,
}

/// Frames that are read by one request.
#[derive(Debug)]
struct Read {
    keys: Vec<Key>,
    frames: TaskHandle<Result<Vec<Bytes>>>,
}

#[derive(Debug)]
struct Slot {
    data: Option<Bytes>,
    raw: u64,
    /// How often it was asked for and not yet taken.
    wanted: usize,
}

impl FrameCache {
    pub(super) fn new(repository: Repository, check: Check, cancel: &CancellationToken) -> Self {
        Self {
            check,
            repository,
            tasks: TaskSet::new(cancel),
            slots: HashMap::new(),
            batch: Vec::new(),
            reads: VecDeque::new(),
            ahead_bytes: 0,
            idle: VecDeque::new(),
            idle_bytes: 0,
        }
    }

    /// Whether more may be asked for.
    pub(super) fn has_room(&self) -> bool {
        self.ahead_bytes < AHEAD_BYTES && self.reads.len() < READS
    }

    /// Whether anything is on its way.
    pub(super) fn is_reading(&self) -> bool {
        !self.reads.is_empty()
    }

    /// Asks for a frame that will be taken later.
    pub(super) fn want(&mut self, key: Key, ancestry: &Ancestry) -> Result<()> {
        if let Some(slot) = self.slots.get_mut(&key) {
            if slot.wanted == 0 {
                self.ahead_bytes += slot.raw;
                self.idle_bytes -= slot.raw;
                self.idle.retain(|idle| *idle != key);
            }
            slot.wanted += 1;
            return Ok(());
        }
        let frame = *ancestry.tables(key.0)?.frame(key.1)?;
        let raw = u64::from(frame.raw);
        let follows = self.batch.last().is_some_and(|((source, _), last)| {
            *source == key.0 && last.pack == frame.pack && last.offset + last.stored == frame.offset
        });
        let batched: u64 = self.batch.iter().map(|(_, frame)| u64::from(frame.raw)).sum();
        if !follows || batched + raw > READ_RAW_BYTES {
            self.start(ancestry)?;
        }
        self.batch.push((key, frame));
        self.slots.insert(key, Slot { data: None, raw, wanted: 1 });
        self.ahead_bytes += raw;
        Ok(())
    }

    /// Starts to read what was asked for.
    pub(super) fn start(&mut self, ancestry: &Ancestry) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let Some(((source, _), _)) = batch.first() else { return Ok(()) };
        let (backup, tables) = (ancestry.source(*source)?.id, Arc::clone(ancestry.tables(*source)?));
        let (keys, frames): (Vec<Key>, Vec<FrameRef>) = batch.into_iter().unzip();
        let (repository, check) = (self.repository.clone(), self.check);
        let frames =
            self.tasks.spawn(async move { read_frames(&repository, backup, &tables, &frames, check).await });
        self.reads.push_back(Read { keys, frames });
        Ok(())
    }

    /// The frame, once it is there.
    pub(super) async fn take(&mut self, key: Key, ancestry: &Ancestry) -> Result<Bytes> {
        loop {
            let slot = self.slots.get_mut(&key).ok_or_else(lost)?;
            if let Some(data) = slot.data.clone() {
                slot.wanted = slot.wanted.saturating_sub(1);
                if slot.wanted == 0 {
                    self.ahead_bytes -= slot.raw;
                    self.idle_bytes += slot.raw;
                    self.idle.push_back(key);
                }
                while self.idle_bytes > IDLE_BYTES {
                    let Some(oldest) = self.idle.pop_front() else { break };
                    self.idle_bytes -= self.slots.remove(&oldest).map_or(0, |slot| slot.raw);
                }
                return Ok(data);
            }
            if self.reads.is_empty() {
                self.start(ancestry)?;
            }
            let read = self.reads.front_mut().ok_or_else(lost)?;
            let frames = (&mut read.frames).await??;
            for (key, data) in read.keys.drain(..).zip(frames) {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.data = Some(data);
                }
            }
            self.reads.pop_front();
        }
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "restore", "a frame was taken that nobody asked for")
}
