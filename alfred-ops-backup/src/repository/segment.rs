//! Where every page of one segment of a file lies.

use super::page::{PageDigest, pages_of};
use super::page_map::{PageMap, Place, Run};

/// Where every page of one segment lies, all maps taken together. Sources are numbered as the
/// [`Ancestry`](super::ancestry::Ancestry) numbers them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Segment {
    pub(super) bytes: u64,
    pub(super) pages: Vec<PageSlot>,
}

/// One page of a [`Segment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageSlot {
    pub(super) digest: PageDigest,
    pub(super) place: Place,
}

impl PageSlot {
    pub(super) const ZEROS: Self = Self { digest: PageDigest([0; 8]), place: Place::Zeros };
}

impl Segment {
    /// Lays `map` over this segment, which is what its base describes.
    pub(super) fn overlay(mut self, map: &PageMap) -> Self {
        let base_pages = map.base.as_ref().map_or(0, |base| base.pages);
        let pages = pages_of(map.bytes);
        let index = |page: u32| usize::try_from(page).unwrap_or(usize::MAX);
        // Where the base ends within a page, that page is only the same if both end there; the writer
        // lists it otherwise.
        self.pages.truncate(index(base_pages.min(pages)));
        self.pages.resize(index(pages), PageSlot::ZEROS);
        self.bytes = map.bytes;
        let mut digests = map.digests.iter();
        for run in &map.runs {
            for nth in 0..run.pages {
                let Some(slot) = self.pages.get_mut(index(run.first + nth)) else { continue };
                let place = run.place.nth(nth);
                let digest = match place {
                    Place::Zeros => PageDigest::default(),
                    Place::Frame { .. } => digests.next().copied().unwrap_or_default(),
                };
                *slot = PageSlot { digest, place };
            }
        }
        self
    }

    /// One map without a base that says all of this.
    pub(super) fn to_map(&self) -> PageMap {
        let (mut runs, mut page) = (Vec::new(), 0);
        while let Some(run) = self.run_at(page) {
            page += run.pages;
            if run.place != Place::Zeros {
                runs.push(run);
            }
        }
        let stored = self.pages.iter().filter(|slot| slot.place != Place::Zeros);
        PageMap { bytes: self.bytes, base: None, runs, digests: stored.map(|slot| slot.digest).collect() }
    }

    /// The run of side-by-side pages from `first` on. Zeros are a run too.
    pub(super) fn run_at(&self, first: u32) -> Option<Run> {
        let at = usize::try_from(first).unwrap_or(usize::MAX);
        let place = self.pages.get(at)?.place;
        let mut pages = 1u32;
        while self.pages.get(at + usize::try_from(pages).unwrap_or(usize::MAX)).map(|slot| slot.place)
            == Some(place.nth(pages))
        {
            pages += 1;
        }
        Some(Run { first, pages, place })
    }
}

impl Place {
    /// Where the page lies that follows `pages` after this one in a run.
    pub(super) fn nth(self, pages: u32) -> Self {
        match self {
            Self::Zeros => Self::Zeros,
            Self::Frame { source, frame, offset } => {
                let bytes = pages.saturating_mul(super::page::PAGE_BYTES_U32);
                Self::Frame { source, frame, offset: offset.saturating_add(bytes) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::page_map::{Base, MapPlace};

    fn place(source: u32, page: u32) -> Place {
        Place::Frame { source, frame: 0, offset: page * 8192 }
    }

    fn map(bytes: u64, base_pages: Option<u32>, runs: Vec<Run>) -> PageMap {
        let base = base_pages.map(|pages| Base { at: MapPlace::Inline(Vec::new()), pages });
        let stored: u32 = runs.iter().filter(|run| run.place != Place::Zeros).map(|run| run.pages).sum();
        let digests = (0..stored).map(|n| PageDigest([u8::try_from(n).unwrap(); 8])).collect();
        PageMap { bytes, base, runs, digests }
    }

    #[test]
    fn newer_maps_hide_older_ones_and_truncation_is_remembered() {
        let full = map(6 * 8192, None, vec![Run { first: 0, pages: 6, place: place(0, 0) }]);
        let segment = Segment::default().overlay(&full);
        assert_eq!(segment.run_at(0), Some(Run { first: 0, pages: 6, place: place(0, 0) }));
        // Cut to three pages, grown to eight, page 1 changed, page 4 written again.
        let changed = map(
            8 * 8192,
            Some(3),
            vec![
                Run { first: 1, pages: 1, place: place(1, 0) },
                Run { first: 4, pages: 1, place: place(1, 1) },
            ],
        );
        let segment = segment.overlay(&changed);
        let places: Vec<Place> = segment.pages.iter().map(|slot| slot.place).collect();
        let zeros = Place::Zeros;
        assert_eq!(places, [place(0, 0), place(1, 0), place(0, 2), zeros, place(1, 1), zeros, zeros, zeros]);
        assert_eq!(segment.run_at(5), Some(Run { first: 5, pages: 3, place: zeros }));
        assert_eq!(segment.run_at(8), None);
        assert_eq!(Segment::default().overlay(&segment.to_map()), segment);
    }
}
