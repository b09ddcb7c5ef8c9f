//! From pages and maps to frames.

use std::collections::VecDeque;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, Result, TaskHandle, TaskSet, blocking};

use super::index::FrameRef;
use super::pack_writer::PackWriter;
use super::page_map::{MapPlace, PageMap, Place};
use super::sealer::SealedFrame;
use super::{Layout, Repository};
use crate::Buffer;

/// Raw bytes of a frame. Larger frames compress little better; smaller ones make the index longer.
pub(super) const FRAME_BYTES: usize = 1 << 20;
/// Frames being compressed at once, at most: one for each processor and one waiting.
const COMPRESSIONS_MAX: usize = 8;
/// Up to so many bytes, changes are worth more processor time than a flood of new data.
const FEW_BYTES: u64 = 1 << 30;
/// Maps of at most so many bytes lie in the index itself: those of files of a few pages.
const INLINE_MAP_BYTES: usize = 80;
/// Stands for the backup that is being written where others have the number that the ancestry gave them.
pub(super) const OWN: u32 = u32::MAX;

/// Collects new pages and maps into frames, seals these in parallel, and hands them on in order.
#[derive(Debug)]
pub(super) struct ContentWriter {
    repository: Repository,
    context: JobContext,
    tasks: TaskSet,
    /// What the frames are sealed for.
    owner: String,
    pages: Collector,
    maps: Collector,
    sealing: VecDeque<(Kind, TaskHandle<Result<Result<SealedFrame>>>)>,
    sealing_max: usize,
    pub(super) packer: PackWriter,
    /// Raw bytes of new pages.
    pub(super) new_bytes: u64,
    /// Whether only what differs from another backup comes.
    pub(super) on_base: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pages,
    Maps,
}

/// A frame that is being filled, and where the earlier ones of its kind lie.
#[derive(Debug, Default)]
struct Collector {
    open: Buffer,
    cut: u32,
    stored: Vec<FrameRef>,
}

/// Where everything lies once it is stored.
#[derive(Debug)]
pub(super) struct StoredContent {
    pub(super) packs: Vec<Id>,
    pub(super) frames: Vec<FrameRef>,
    pub(super) maps: Vec<FrameRef>,
    pub(super) stored_bytes: u64,
    pub(super) new_bytes: u64,
}

impl ContentWriter {
    pub(super) fn new(repository: Repository, backup: Id, context: &JobContext) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            packer: PackWriter::new(repository.clone(), context),
            repository,
            context: context.clone(),
            tasks: TaskSet::new(&context.cancel),
            owner: Layout::snapshot(backup),
            pages: Collector::default(),
            maps: Collector::default(),
            sealing: VecDeque::new(),
            sealing_max: (processors + 1).min(COMPRESSIONS_MAX),
            new_bytes: 0,
            on_base: false,
        }
    }

    /// Adds a page and tells where it will lie.
    pub(super) async fn page(&mut self, page: &[u8]) -> Result<Place> {
        if self.pages.open.len() + page.len() > FRAME_BYTES {
            self.cut(Kind::Pages).await?;
        }
        let place = Place::Frame { source: OWN, frame: self.pages.cut, offset: self.pages.offset()? };
        self.pages.append(page);
        self.new_bytes += page.len() as u64;
        Ok(place)
    }

    /// Adds a map, numbered as the index will be, and tells where it will lie.
    pub(super) async fn map(&mut self, map: &PageMap) -> Result<MapPlace> {
        let encoded = map.encode();
        if encoded.len() <= INLINE_MAP_BYTES && map.base.is_none() {
            return Ok(MapPlace::Inline(encoded));
        }
        if !self.maps.open.is_empty() && self.maps.open.len() + encoded.len() > FRAME_BYTES {
            self.cut(Kind::Maps).await?;
        }
        let place = MapPlace::Frame {
            source: 0,
            frame: self.maps.cut,
            offset: self.maps.offset()?,
            length: u32::try_from(encoded.len()).map_err(|_| too_many())?,
            depth: map.depth(),
        };
        self.maps.append(&encoded);
        Ok(place)
    }

    const fn collector(&mut self, kind: Kind) -> &mut Collector {
        match kind {
            Kind::Pages => &mut self.pages,
            Kind::Maps => &mut self.maps,
        }
    }

    async fn cut(&mut self, kind: Kind) -> Result<()> {
        self.context.check("capture")?;
        let collector = self.collector(kind);
        if collector.open.is_empty() {
            return Ok(());
        }
        let raw = std::mem::take(&mut collector.open);
        collector.cut = collector.cut.checked_add(1).ok_or_else(too_many)?;
        let few = self.on_base && self.new_bytes < FEW_BYTES;
        let (sealer, compression) =
            (self.repository.sealer.clone(), self.repository.options.compression.of_pages(few));
        let owner = self.owner.clone();
        let task = self.tasks.spawn(blocking(move || sealer.seal(&owner, &raw, compression)));
        self.sealing.push_back((kind, task));
        while self.sealing.len() >= self.sealing_max {
            self.take_sealed().await?;
        }
        Ok(())
    }

    /// Hands on the oldest frame.
    async fn take_sealed(&mut self) -> Result<()> {
        let Some((kind, task)) = self.sealing.pop_front() else { return Ok(()) };
        let place = self.packer.add(&task.await???).await?;
        self.collector(kind).stored.push(place);
        Ok(())
    }

    /// Waits until everything is stored.
    pub(super) async fn finish(mut self) -> Result<StoredContent> {
        self.cut(Kind::Pages).await?;
        self.cut(Kind::Maps).await?;
        while !self.sealing.is_empty() {
            self.take_sealed().await?;
        }
        self.packer.finish().await?;
        Ok(StoredContent {
            packs: std::mem::take(&mut self.packer.packs),
            frames: self.pages.stored,
            maps: self.maps.stored,
            stored_bytes: self.packer.stored_bytes,
            new_bytes: self.new_bytes,
        })
    }
}

impl Collector {
    fn append(&mut self, raw: &[u8]) {
        if self.open.capacity() == 0 {
            self.open = Buffer::with_capacity(raw.len().max(FRAME_BYTES));
        }
        self.open.extend_from_slice(raw);
    }

    fn offset(&self) -> Result<u32> {
        u32::try_from(self.open.len()).map_err(|_| too_many())
    }
}

fn too_many() -> Error {
    Error::new(ErrorKind::ResourceExhausted, "capture", "the backup has too many frames")
}
