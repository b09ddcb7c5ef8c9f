//! The receiving end of a capture.

use std::collections::VecDeque;
use std::ops::Range;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, Result, TaskHandle, TaskSet, blocking};
use bytes::Bytes;

use super::base::Base;
use super::content_writer::ContentWriter;
use super::index_builder::IndexBuilder;
use super::page::{PAGE_BYTES, SEGMENT_BYTES, pages_of};
use super::page_map::Place;
use super::segment_builder::{Finished, SegmentBuilder};
use super::slab::{PageFound, Part, Slab, look};
use super::{BackupMode, BackupRecord, BackupStats, Entry, EntryKind, Repository};
use crate::BackupRequest;

/// Slabs being hashed at once.
const SLABS: usize = 4;
/// Parts of a slab, at most: files that bring no data fill none otherwise.
const PARTS_MAX: usize = 4096;

/// The receiving end of a capture: a backend streams named files into it, and it compares them page by
/// page with an earlier backup, compresses, encrypts and packs what is new, and sends it to the store.
///
/// Memory is bounded whatever the size of the files: a few slabs and frames of 1 MiB, four packs of 8 MiB,
/// the map of one segment, and the tables of the indexes. Nothing becomes visible before the repository
/// commits; dropping the writer abandons what was sent.
#[derive(Debug)]
pub struct SnapshotWriter {
    repository: Repository,
    context: JobContext,
    backup: Id,
    request: BackupRequest,
    tasks: TaskSet,
    base: Option<Base>,
    slab: Slab,
    hashing: VecDeque<Hashing>,
    file: Option<OpenFile>,
    segment: Option<(usize, SegmentBuilder)>,
    content: ContentWriter,
    index: IndexBuilder,
    stats: BackupStats,
    note: Option<String>,
}

#[derive(Debug)]
struct Hashing {
    data: Bytes,
    parts: Vec<Part>,
    task: TaskHandle<Result<Vec<PageFound>>>,
}

/// The file that is being received.
#[derive(Debug)]
struct OpenFile {
    entry: usize,
    /// How far it was received.
    position: u64,
    /// The segment that is open.
    segment: Option<u64>,
    patch: Option<Patch>,
}

/// How a file is described of which only the changed pages come.
#[derive(Debug, Clone, Copy)]
struct Patch {
    /// Its length.
    bytes: u64,
    /// Of it, so much is as in the base unless pages come for it.
    kept_bytes: u64,
}

impl SnapshotWriter {
    pub(crate) fn new(
        repository: Repository,
        backup: Id,
        request: BackupRequest,
        context: &JobContext,
    ) -> Self {
        Self {
            content: ContentWriter::new(repository.clone(), backup, context),
            repository,
            context: context.clone(),
            backup,
            request,
            tasks: TaskSet::new(&context.cancel),
            base: None,
            slab: Slab::default(),
            hashing: VecDeque::new(),
            file: None,
            segment: None,
            index: IndexBuilder::default(),
            stats: BackupStats::default(),
            note: None,
        }
    }

    /// The repository that is written to, for a backend that keeps a log there.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Whether the caller asked for what changed only. A backend that cannot tell reads everything; either
    /// way only pages that differ from the base are stored.
    #[must_use]
    pub const fn mode(&self) -> BackupMode {
        self.request.mode
    }

    /// Compares what comes with the newest backup of this kind that `suits` and whose index is whole, and returns
    /// it. To be called before the first entry; without it, or where there is none, everything is stored.
    ///
    /// # Errors
    /// The store's.
    pub async fn build_on(
        &mut self,
        kind: &str,
        suits: impl Fn(&BackupRecord) -> bool + Send,
    ) -> Result<Option<&BackupRecord>> {
        if self.request.independent || self.index.has_entries() {
            return Ok(None);
        }
        let mut backups = self.repository.catalog().await?.backups;
        backups.retain(|record| record.backend == kind && suits(record));
        for record in backups.into_iter().rev() {
            let id = record.id;
            match Base::load(self.repository.clone(), record, self.request.mode).await {
                Ok(base) => {
                    self.base = Some(base);
                    self.content.on_base = true;
                    break;
                }
                // A backup that cannot be read shall not keep new ones away.
                Err(error) if [ErrorKind::Corrupt, ErrorKind::NotFound].contains(&error.kind()) => {
                    tracing::error!(backup = %id, error = %error.full(), "a damaged backup is not built on");
                    self.note = Some(format!("backup {id} is damaged and was not built on: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.base())
    }

    /// The backup that this one builds on.
    #[must_use]
    pub fn base(&self) -> Option<&BackupRecord> {
        self.base.as_ref().map(|base| &base.record)
    }

    /// What the record shall say of the choice of that backup.
    pub(crate) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// Adds a folder, which may stay empty.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a path that leaves the root; as [`write`](Self::write).
    pub async fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.add(Entry { path: path.to_owned(), kind: EntryKind::Directory, mode, modified: 0 }).await?;
        Ok(())
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a path that leaves the root; as [`write`](Self::write).
    pub async fn symlink(&mut self, path: &str, target: &str) -> Result<()> {
        let kind = EntryKind::Symlink { target: target.to_owned() };
        self.add(Entry { path: path.to_owned(), kind, mode: 0o777, modified: 0 }).await?;
        Ok(())
    }

    /// Begins a file, which ends where the next entry begins. `modified` is in seconds since 1970.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a path that leaves the root; as [`write`](Self::write).
    pub async fn begin_file(&mut self, path: &str, mode: u32, modified: i64) -> Result<()> {
        let entry = Entry { path: path.to_owned(), kind: EntryKind::File { bytes: 0 }, mode, modified };
        let entry = self.add(entry).await?;
        self.file = Some(OpenFile { entry, position: 0, segment: None, patch: None });
        self.stats.files += 1;
        Ok(())
    }

    /// Begins a file of `bytes` bytes of which only pages that may have changed will come, by
    /// [`write_at`](Self::write_at). Of the rest, the first `kept_bytes` are as in the base, as far as that
    /// reaches; what lies behind is zeros. Lengths are whole pages of 8 KiB.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the base does not hold the file; as
    /// [`begin_file`](Self::begin_file).
    pub async fn begin_patch(
        &mut self,
        path: &str,
        mode: u32,
        modified: i64,
        bytes: u64,
        kept_bytes: u64,
    ) -> Result<()> {
        let page = PAGE_BYTES as u64;
        let held = self.base.as_ref().and_then(|base| base.file_bytes(path));
        let fits = held.is_some() || kept_bytes == 0;
        if !fits || !bytes.is_multiple_of(page) || !kept_bytes.is_multiple_of(page) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "capture",
                format!("{path:?} of {bytes} bytes shall keep {kept_bytes}, the base holds {held:?}"),
            )
            .with_remedy("take a full backup"));
        }
        let kept_bytes = kept_bytes.min(bytes).min(held.unwrap_or(0) / page * page);
        self.begin_file(path, mode, modified).await?;
        if let Some(file) = &mut self.file {
            file.patch = Some(Patch { bytes, kept_bytes });
        }
        Ok(())
    }

    /// Appends to the file begun last. Waits while hashing, compression or the store lag behind.
    ///
    /// # Errors
    /// The store's, also for data written earlier; [`ErrorKind::Cancelled`] if the caller asked to stop.
    pub async fn write(&mut self, data: &[u8]) -> Result<()> {
        let file = self.file.as_ref().filter(|file| file.patch.is_none());
        let position = file.ok_or_else(|| misuse("data came before a file was begun"))?.position;
        self.stats.received_bytes += data.len() as u64;
        self.take_at(position, data).await
    }

    /// Gives pages of the file begun by [`begin_patch`](Self::begin_patch), in ascending order.
    ///
    /// # Errors
    /// As [`write`](Self::write); [`ErrorKind::Internal`] for pages out of order or outside of the file.
    pub async fn write_at(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let file = self.file.as_ref().and_then(|file| Some((file.position, file.patch?.bytes)));
        let (position, bytes) = file.ok_or_else(|| misuse("pages came before a patch was begun"))?;
        let page = PAGE_BYTES as u64;
        let ends = offset.saturating_add(data.len() as u64);
        if offset < position || ends > bytes || !offset.is_multiple_of(page) || !ends.is_multiple_of(page) {
            return Err(misuse("pages came out of order, in parts, or outside of their file"));
        }
        self.stats.received_bytes += data.len() as u64;
        self.take_at(offset, data).await
    }

    async fn take_at(&mut self, mut position: u64, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let into_page = usize::try_from(position % PAGE_BYTES as u64).unwrap_or(0);
            if into_page == 0 {
                self.reach_segment(position / SEGMENT_BYTES).await?;
                if !self.slab.has_room() {
                    self.send_slab().await?;
                }
                self.slab.begin_page(pages_of(position % SEGMENT_BYTES));
            }
            let (now, later) = data.split_at(data.len().min(PAGE_BYTES - into_page));
            self.slab.extend(now);
            data = later;
            position += now.len() as u64;
        }
        if let Some(file) = &mut self.file {
            file.position = position;
        }
        Ok(())
    }

    /// Opens the segment of that number in the present file, and ends those before.
    async fn reach_segment(&mut self, number: u64) -> Result<()> {
        loop {
            let Some(file) = &mut self.file else { return Ok(()) };
            let next = match file.segment {
                Some(open) if open >= number => return Ok(()),
                Some(open) => {
                    self.slab.parts.push(Part::End { bytes: SEGMENT_BYTES });
                    open + 1
                }
                None => 0,
            };
            file.segment = Some(next);
            let (entry, patch) = (file.entry, file.patch);
            let before = match (&mut self.base, self.index.path(entry)) {
                (Some(base), Some(path)) => base.segment(path, next, patch.is_none()).await?,
                _ => None,
            };
            let start = next.saturating_mul(SEGMENT_BYTES);
            let kept = patch.map_or(u64::MAX, |patch| patch.kept_bytes.saturating_sub(start));
            let kept_pages = pages_of(kept.min(SEGMENT_BYTES));
            self.slab.parts.push(Part::Begin { entry, before, kept_pages });
        }
    }

    async fn end_file(&mut self) -> Result<()> {
        let Some(OpenFile { entry, position, patch, .. }) = &self.file else { return Ok(()) };
        let (entry, bytes) = (*entry, patch.map_or(*position, |patch| patch.bytes));
        if bytes > 0 {
            let last = (bytes - 1) / SEGMENT_BYTES;
            self.reach_segment(last).await?;
            self.slab.parts.push(Part::End { bytes: bytes - last * SEGMENT_BYTES });
        }
        self.file = None;
        self.stats.raw_bytes += bytes;
        self.index.set_bytes(entry, bytes);
        // Many empty or unchanged files fill no slab with data.
        if self.slab.parts.len() >= PARTS_MAX { self.send_slab().await } else { Ok(()) }
    }

    async fn add(&mut self, entry: Entry) -> Result<usize> {
        Entry::check_path(&entry.path)?;
        self.end_file().await?;
        Ok(self.index.add(entry))
    }

    async fn send_slab(&mut self) -> Result<()> {
        self.context.check("capture")?;
        if self.slab.is_empty() {
            return Ok(());
        }
        let Slab { data, parts } = std::mem::take(&mut self.slab);
        let (data, sealer) = (data.freeze(), self.repository.sealer.clone());
        let ranges: Vec<Range<usize>> = parts
            .iter()
            .filter_map(|part| if let Part::Pages { data, .. } = part { Some(data.clone()) } else { None })
            .collect();
        let task = self.tasks.spawn(blocking({
            let data = data.clone();
            move || look(&data, &ranges, &sealer)
        }));
        self.hashing.push_back(Hashing { data, parts, task });
        while self.hashing.len() >= SLABS {
            self.take_hashed().await?;
        }
        Ok(())
    }

    /// Sorts the pages of the oldest slab into what is new and what is not.
    async fn take_hashed(&mut self) -> Result<()> {
        let Some(Hashing { data, parts, task }) = self.hashing.pop_front() else { return Ok(()) };
        self.context.progress.add(data.len() as u64);
        let found = task.await??;
        let mut found = found.into_iter();
        for part in parts {
            match part {
                Part::Begin { entry, before, kept_pages } => {
                    self.segment = Some((entry, SegmentBuilder::new(before, kept_pages)));
                }
                Part::Pages { first, data: range } => {
                    for (number, page) in (first..).zip(data[range].chunks(PAGE_BYTES)) {
                        let found = found.next().ok_or_else(|| misuse("a page was not looked at"))?;
                        self.take_page(number, page, found).await?;
                    }
                }
                Part::End { bytes } => self.end_segment(bytes).await?,
            }
        }
        Ok(())
    }

    async fn take_page(&mut self, number: u32, page: &[u8], found: PageFound) -> Result<()> {
        let Some((_, builder)) = &mut self.segment else {
            return Err(misuse("a page came before its segment"));
        };
        let before = builder.page_before(number);
        match found {
            PageFound::Zeros => {
                // Where there was nothing before, pages that are not listed are zeros.
                if before.is_none_or(|before| before.place != Place::Zeros) {
                    builder.zeros(number);
                }
            }
            PageFound::Data(digest) => {
                if let (Some(before), Some(base)) = (before, &mut self.base)
                    && before.digest == digest
                    && before.place != Place::Zeros
                    && base.reuse(before.place, page.len())
                {
                    return Ok(());
                }
                let place = self.content.page(page).await?;
                builder.page(number, digest, place);
            }
        }
        Ok(())
    }

    async fn end_segment(&mut self, bytes: u64) -> Result<()> {
        let Some((entry, builder)) = self.segment.take() else {
            return Err(misuse("a segment ended before it began"));
        };
        let place = match builder.finish(bytes) {
            Finished::Same(place) => {
                if let Some(base) = &mut self.base {
                    base.reuse_maps(&place).await?;
                }
                self.index.localise(place, self.base.as_ref())?
            }
            Finished::Map(map) => {
                if let (Some(base), Some(beneath)) = (&mut self.base, &map.base) {
                    base.reuse_maps(&beneath.at).await?;
                }
                let map = self.index.localise_map(map, self.base.as_ref())?;
                self.content.map(&map).await?
            }
        };
        self.index.add_segment(entry, place);
        Ok(())
    }

    /// Waits until everything is stored, the index included, and returns the index's hash.
    pub(crate) async fn finish(mut self) -> Result<(blake3::Hash, BackupStats)> {
        self.end_file().await?;
        self.send_slab().await?;
        while !self.hashing.is_empty() {
            self.take_hashed().await?;
        }
        let content = self.content.finish().await?;
        self.stats.stored_bytes = content.stored_bytes;
        self.stats.new_bytes = content.new_bytes;
        let index = self.index.finish(content, self.base.as_ref())?;
        let (hash, bytes) = self.repository.store_index(self.backup, &index).await?;
        self.stats.stored_bytes += bytes;
        Ok((hash, self.stats))
    }
}

fn misuse(what: &str) -> Error {
    Error::new(ErrorKind::Internal, "capture", what)
}
