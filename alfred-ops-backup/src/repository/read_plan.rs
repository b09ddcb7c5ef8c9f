//! What a restore reads, in order.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use bytes::Bytes;

use super::ancestry::Ancestry;
use super::index::IndexEntry;
use super::page::{PAGE_BYTES, PAGE_BYTES_U32, SEGMENT_BYTES};
use super::page_map::Place;
use super::segment::Segment;
use super::slab::{PageFound, SLAB_BYTES, look};
use super::{Entry, PresentFiles, Sealer};

/// The number that an [`Ancestry`] gives to the backup that is read.
const ITSELF: u32 = 0;

/// One step of a restore.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The next entry begins.
    Entry(Entry),
    /// Zeros.
    Zeros { offset: u64, bytes: u64 },
    /// A part of a frame's raw data.
    Data { offset: u64, source: u32, frame: u32, from: u32, bytes: u32 },
}

/// Walks through a backup's entries and tells for each where its content lies.
#[derive(Debug)]
pub(super) struct ReadPlan {
    pub(super) ancestry: Ancestry,
    entries: Arc<Vec<IndexEntry>>,
    next_entry: usize,
    file: Option<OpenFile>,
    present: Option<(Arc<dyn PresentFiles>, Sealer)>,
    pub(super) present_bytes: u64,
    steps: VecDeque<Step>,
}

#[derive(Debug)]
struct OpenFile {
    entry: usize,
    next_segment: usize,
    /// What lies at the destination already.
    present: Option<Arc<File>>,
}

impl ReadPlan {
    pub(super) fn new(ancestry: Ancestry, entries: Arc<Vec<IndexEntry>>) -> Self {
        Self {
            ancestry,
            entries,
            next_entry: 0,
            file: None,
            present: None,
            present_bytes: 0,
            steps: VecDeque::new(),
        }
    }

    /// A plan from the start, of other entries of the same backup.
    pub(super) fn with_entries(&self, entries: Arc<Vec<IndexEntry>>) -> Self {
        Self { present: self.present.clone(), ..Self::new(self.ancestry.clone(), entries) }
    }

    pub(super) fn skip_present(&mut self, present: Arc<dyn PresentFiles>, sealer: Sealer) {
        self.present = Some((present, sealer));
    }

    /// The next step; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Step>> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Some(step));
            }
            if self.plan_segment().await? {
                continue;
            }
            let entries = Arc::clone(&self.entries);
            let Some(IndexEntry { entry, .. }) = entries.get(self.next_entry) else { return Ok(None) };
            let present = match &self.present {
                Some((present, _)) if entry.bytes() > 0 => {
                    let (present, of) = (Arc::clone(present), entry.clone());
                    blocking(move || present.open(&of)).await??.map(Arc::new)
                }
                _ => None,
            };
            self.file = Some(OpenFile { entry: self.next_entry, next_segment: 0, present });
            self.next_entry += 1;
            return Ok(Some(Step::Entry(entry.clone())));
        }
    }

    /// Plans the next segment of the present file, if there is one.
    async fn plan_segment(&mut self) -> Result<bool> {
        let entries = Arc::clone(&self.entries);
        let Some(file) = &mut self.file else { return Ok(false) };
        let Some(entry) = entries.get(file.entry) else { return Ok(false) };
        let Some(place) = entry.segments.get(file.next_segment) else { return Ok(false) };
        let start = file.next_segment as u64 * SEGMENT_BYTES;
        file.next_segment += 1;
        let present = file.present.clone();
        let at = |error: Error| error.with_target(entry.entry.path.clone());
        let segment = self.ancestry.segment(ITSELF, place).await.map_err(at)?;
        if segment.bytes != (entry.entry.bytes() - start).min(SEGMENT_BYTES) {
            let what = "a map is of another length than its file";
            return Err(at(Error::new(ErrorKind::Corrupt, "read map", what)));
        }
        let (segment, there) = match (present, &self.present) {
            (Some(file), Some((_, sealer))) => {
                let sealer = sealer.clone();
                blocking(move || compare(segment, &file, start, &sealer)).await??
            }
            _ => {
                let nothing = vec![false; segment.pages.len()];
                (segment, nothing)
            }
        };
        self.plan_pages(&segment, start, &there);
        Ok(true)
    }

    fn plan_pages(&mut self, segment: &Segment, start: u64, there: &[bool]) {
        let is_there =
            |page: u32| usize::try_from(page).ok().and_then(|page| there.get(page)).copied().unwrap_or(false);
        let mut page = 0;
        while let Some(mut run) = segment.run_at(page) {
            let skip = is_there(page);
            run.pages = (1..run.pages).find(|&nth| is_there(page + nth) != skip).unwrap_or(run.pages);
            let from = u64::from(run.first) * PAGE_BYTES as u64;
            let bytes = (u64::from(run.pages) * PAGE_BYTES as u64).min(segment.bytes - from);
            page += run.pages;
            if skip {
                self.present_bytes += bytes;
                continue;
            }
            let offset = start + from;
            self.steps.push_back(match run.place {
                Place::Zeros => Step::Zeros { offset, bytes },
                Place::Frame { source, frame, offset: from } => Step::Data {
                    offset,
                    source,
                    frame,
                    from,
                    bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                },
            });
        }
    }
}

/// Which pages of a segment lie in `file` already.
fn compare(segment: Segment, file: &File, start: u64, sealer: &Sealer) -> Result<(Segment, Vec<bool>)> {
    let failed = |source| {
        Error::new(ErrorKind::Unavailable, "compare with destination", "a file cannot be read")
            .with_source(source)
    };
    let length = file.metadata().map_err(failed)?.len().saturating_sub(start).min(segment.bytes);
    let mut there = vec![false; segment.pages.len()];
    let mut buffer = vec![0; SLAB_BYTES];
    for (slab, results) in there.chunks_mut(SLAB_BYTES / PAGE_BYTES).enumerate() {
        let from = (slab * SLAB_BYTES) as u64;
        let bytes = usize::try_from(length.saturating_sub(from)).unwrap_or(usize::MAX).min(SLAB_BYTES);
        file.read_exact_at(&mut buffer[..bytes], start + from).map_err(failed)?;
        let data = Bytes::copy_from_slice(&buffer[..bytes]);
        let found = look(&data, std::slice::from_ref(&(0..bytes)), sealer);
        let wanted = segment.pages.iter().skip(slab * (SLAB_BYTES / PAGE_BYTES));
        for (nth, ((found, wanted), result)) in found.into_iter().zip(wanted).zip(results).enumerate() {
            let page = u64::from(PAGE_BYTES_U32);
            let end = (from + (nth as u64 + 1) * page).min(segment.bytes);
            let whole = end <= length;
            *result = whole
                && match found {
                    PageFound::Zeros => wanted.place == Place::Zeros,
                    PageFound::Data(digest) => wanted.place != Place::Zeros && wanted.digest == digest,
                };
        }
    }
    Ok((segment, there))
}
