//! From what is found of a segment's pages to its map.

use super::page::{PageDigest, pages_of};
use super::page_map::{Base, DEPTH_MAX, MapPlace, PageMap, Place, Run};
use super::segment::{PageSlot, Segment};

/// What the backup before holds of a segment, numbered as the ancestry does.
#[derive(Debug, Clone)]
pub(super) struct Before {
    /// Where its map lies.
    pub(super) place: MapPlace,
    pub(super) bytes: u64,
    /// All of its pages, where they are needed.
    pub(super) segment: Option<Segment>,
    /// Its map shall be written again, so that the pack that holds it can go. Needs `segment`.
    pub(super) renew: bool,
}

/// Collects what is new in one segment.
#[derive(Debug)]
pub(super) struct SegmentBuilder {
    before: Option<Before>,
    /// Pages from this on are not those of the backup before unless they are found to be.
    kept_pages: u32,
    runs: Vec<Run>,
    digests: Vec<PageDigest>,
}

/// What a finished segment asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// Nothing changed: the map of the backup before serves.
    Same(MapPlace),
    /// This map, numbered as the ancestry does.
    Map(PageMap),
}

impl SegmentBuilder {
    /// A segment whose first `kept_pages` pages are, unless told otherwise, those of the backup before.
    pub(super) fn new(before: Option<Before>, kept_pages: u32) -> Self {
        let limit = before.as_ref().map_or(0, |before| pages_of(before.bytes));
        Self { before, kept_pages: kept_pages.min(limit), runs: Vec::new(), digests: Vec::new() }
    }

    /// The page of the same place in the backup before, where that is known.
    pub(super) fn page_before(&self, page: u32) -> Option<&PageSlot> {
        let before = self.before.as_ref().filter(|_| page < self.kept_pages)?;
        let segment = before.segment.as_ref()?;
        segment.pages.get(usize::try_from(page).unwrap_or(usize::MAX))
    }

    /// A page that differs from the one before, and was stored.
    pub(super) fn page(&mut self, page: u32, digest: PageDigest, place: Place) {
        self.digests.push(digest);
        self.add(page, place);
    }

    /// A page that holds zeros now. Beyond the base all unlisted pages do.
    pub(super) fn zeros(&mut self, page: u32) {
        if page < self.kept_pages {
            self.add(page, Place::Zeros);
        }
    }

    fn add(&mut self, page: u32, place: Place) {
        match self.runs.last_mut() {
            Some(run) if run.first + run.pages == page && run.place.nth(run.pages) == place => run.pages += 1,
            _ => self.runs.push(Run { first: page, pages: 1, place }),
        }
    }

    /// The segment has this length and no more pages.
    pub(super) fn finish(self, bytes: u64) -> Finished {
        let Self { before, kept_pages, runs, digests } = self;
        let Some(before) = before.filter(|_| kept_pages > 0) else {
            return Finished::Map(PageMap { bytes, base: None, runs, digests });
        };
        let same = runs.is_empty() && bytes == before.bytes && kept_pages == pages_of(bytes);
        let base = Base { at: before.place.clone(), pages: kept_pages.min(pages_of(bytes)) };
        let stored = matches!(before.place, MapPlace::Frame { .. });
        if same && stored && !before.renew {
            return Finished::Same(before.place);
        }
        let changed: u32 = runs.iter().map(|run| run.pages).sum();
        let flatten = !stored || before.renew || base.at.depth() >= DEPTH_MAX - 1 || changed > base.pages / 2;
        let overlay = PageMap { bytes, base: Some(base), runs, digests };
        match before.segment {
            Some(segment) if flatten => Finished::Map(segment.overlay(&overlay).to_map()),
            _ => Finished::Map(overlay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 8192;

    fn place(source: u32, page: u32) -> Place {
        Place::Frame { source, frame: 1, offset: page * 8192 }
    }

    fn digest(byte: u8) -> PageDigest {
        PageDigest([byte; 8])
    }

    fn before(pages: u8, depth: u8) -> Before {
        let slot = |page: u8| PageSlot { digest: digest(page), place: place(4, u32::from(page)) };
        Before {
            place: MapPlace::Frame { source: 4, frame: 0, offset: 0, length: 99, depth },
            bytes: u64::from(pages) * PAGE,
            segment: Some(Segment { bytes: u64::from(pages) * PAGE, pages: (0..pages).map(slot).collect() }),
            renew: false,
        }
    }

    #[test]
    fn an_unchanged_segment_needs_no_map() {
        let before = before(5, 3);
        let finished = SegmentBuilder::new(Some(before.clone()), 5).finish(5 * PAGE);
        assert_eq!(finished, Finished::Same(before.place));
    }

    #[test]
    fn a_map_in_a_pack_that_shall_go_is_written_again() {
        let renewed = Before { renew: true, ..before(5, 3) };
        let Finished::Map(map) = SegmentBuilder::new(Some(renewed), 5).finish(5 * PAGE) else {
            panic!("it stays where it is")
        };
        assert_eq!((map.base, map.runs.len()), (None, 1));
    }

    #[test]
    fn few_changes_lie_over_the_map_before() {
        let mut builder = SegmentBuilder::new(Some(before(8, 3)), 8);
        builder.page(2, digest(50), place(0, 0));
        builder.page(3, digest(51), place(0, 1));
        let Finished::Map(map) = builder.finish(8 * PAGE) else { panic!("it changed") };
        assert_eq!(map.runs, [Run { first: 2, pages: 2, place: place(0, 0) }]);
        assert_eq!((map.depth(), map.base.unwrap().pages), (4, 8));
    }

    #[test]
    fn many_changes_and_deep_stacks_make_a_complete_map() {
        let mut builder = SegmentBuilder::new(Some(before(6, DEPTH_MAX - 1)), 6);
        builder.page(2, digest(50), place(0, 0));
        let Finished::Map(map) = builder.finish(5 * PAGE) else { panic!("it changed") };
        assert_eq!(map.base, None);
        assert_eq!(
            map.runs,
            [
                Run { first: 0, pages: 2, place: place(4, 0) },
                Run { first: 2, pages: 1, place: place(0, 0) },
                Run { first: 3, pages: 2, place: place(4, 3) },
            ]
        );
        assert_eq!(map.digests, [digest(0), digest(1), digest(50), digest(3), digest(4)]);
    }

    #[test]
    fn a_file_that_was_cut_and_grew_keeps_only_what_was_never_cut() {
        let mut builder = SegmentBuilder::new(Some(before(6, 0)), 2);
        builder.page(4, digest(9), place(0, 0));
        let Finished::Map(map) = builder.finish(6 * PAGE) else { panic!("it changed") };
        let after = before(6, 0).segment.unwrap().overlay(&map);
        let places: Vec<Place> = after.pages.iter().map(|slot| slot.place).collect();
        let zeros = Place::Zeros;
        assert_eq!(places, [place(4, 0), place(4, 1), zeros, zeros, place(0, 0), zeros]);
    }
}
