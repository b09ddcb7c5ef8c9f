//! A stretch of captured data on its way to being compared.

use std::ops::Range;

use bytes::Bytes;

use super::page::{PAGE_BYTES, PageDigest, is_zeros};
use super::sealer::Sealer;
use super::segment_builder::Before;
use crate::Buffer;

/// Raw bytes of a slab: one unit of work for the hashing threads.
pub(super) const SLAB_BYTES: usize = 1 << 20;

/// A stretch of captured data: parts of one file or of many small ones.
#[derive(Debug, Default)]
pub(super) struct Slab {
    pub(super) data: Buffer,
    pub(super) parts: Vec<Part>,
}

/// What a slab tells, in order.
#[derive(Debug)]
pub(super) enum Part {
    /// The next segment of an entry begins.
    Begin { entry: usize, before: Option<Before>, kept_pages: u32 },
    /// Pages from `first` on; the last may be short.
    Pages { first: u32, data: Range<usize> },
    /// The segment ends with this length.
    End { bytes: u64 },
}

/// What was found of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageFound {
    Zeros,
    Data(PageDigest),
}

impl Slab {
    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.parts.is_empty()
    }

    /// Whether a whole page fits in.
    pub(super) fn has_room(&self) -> bool {
        self.data.len() + PAGE_BYTES <= SLAB_BYTES
    }

    /// Begins a page, side by side with the one before where it is the next.
    pub(super) fn begin_page(&mut self, page: u32) {
        let at = self.data.len();
        let next = match self.parts.last() {
            Some(Part::Pages { first, data }) if data.end == at => data
                .len()
                .is_multiple_of(PAGE_BYTES)
                .then(|| first.saturating_add(u32::try_from(data.len() / PAGE_BYTES).unwrap_or(u32::MAX))),
            _ => None,
        };
        if next != Some(page) {
            self.parts.push(Part::Pages { first: page, data: at..at });
        }
    }

    /// Appends to the page begun last.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.data.capacity() == 0 {
            self.data = Buffer::with_capacity(SLAB_BYTES);
        }
        self.data.extend_from_slice(bytes);
        if let Some(Part::Pages { data, .. }) = self.parts.last_mut() {
            data.end = self.data.len();
        }
    }
}

/// Looks at every page of a slab.
pub(super) fn look(data: &Bytes, ranges: &[Range<usize>], sealer: &Sealer) -> Vec<PageFound> {
    let pages = ranges.iter().flat_map(|range| data[range.clone()].chunks(PAGE_BYTES));
    pages
        .map(|page| if is_zeros(page) { PageFound::Zeros } else { PageFound::Data(sealer.digest(page)) })
        .collect()
}
