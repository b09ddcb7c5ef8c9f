//! Where the pages of one segment of a file lie, as it is stored.

use alfred_ops_core::Result;

use super::binary::{Decoder, Encoder, corrupt};
use super::page::{PageDigest, SEGMENT_BYTES, SEGMENT_PAGES, pages_of};

/// Maps that lie over one another, at most, before a complete one is written.
pub(super) const DEPTH_MAX: u8 = 32;
const DIGEST_BYTES: usize = 8;

/// Where the pages of one segment of a file lie: those that its backup stored, over the map of an earlier
/// backup for the rest.
///
/// Numbers of sources are those of the index that the map belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PageMap {
    /// The segment's length.
    pub(super) bytes: u64,
    pub(super) base: Option<Base>,
    /// In order, without overlaps. Pages in no run are the base's, or zeros where there is none.
    pub(super) runs: Vec<Run>,
    /// Of the pages of all runs that are not zeros, in order.
    pub(super) digests: Vec<PageDigest>,
}

/// The map beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) at: MapPlace,
    /// Pages from this on are not taken from it.
    pub(super) pages: u32,
}

/// Pages side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u32,
    pub(super) pages: u32,
    pub(super) place: Place,
}

/// Where pages lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: they hold zeros.
    Zeros,
    /// In a frame, from a byte of its raw data on.
    Frame { source: u32, frame: u32, offset: u32 },
}

/// Where a map is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MapPlace {
    /// In a map frame.
    Frame { source: u32, frame: u32, offset: u32, length: u32, depth: u8 },
    /// In the index itself: maps of small files. They have no base.
    Inline(Vec<u8>),
}

impl MapPlace {
    /// How many maps lie beneath.
    pub(super) const fn depth(&self) -> u8 {
        match self {
            Self::Frame { depth, .. } => *depth,
            Self::Inline(_) => 0,
        }
    }

    pub(super) fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Inline(map) => {
                encoder.number(0u32);
                encoder.bytes(map);
            }
            Self::Frame { source, frame, offset, length, depth } => {
                encoder.number(1u64 + u64::from(*source));
                encoder.number(*frame);
                encoder.number(*offset);
                encoder.number(*length);
                encoder.number(*depth);
            }
        }
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self> {
        match decoder.small()?.checked_sub(1) {
            None => Ok(Self::Inline(decoder.bytes()?.to_vec())),
            Some(source) => Ok(Self::Frame {
                source,
                frame: decoder.small()?,
                offset: decoder.small()?,
                length: decoder.small()?,
                depth: u8::try_from(decoder.number()?)
                    .ok()
                    .filter(|&depth| depth <= DEPTH_MAX)
                    .ok_or_else(|| corrupt("a map lies over too many others"))?,
            }),
        }
    }
}

impl PageMap {
    /// How many maps lie beneath.
    pub(super) fn depth(&self) -> u8 {
        self.base.as_ref().map_or(0, |base| base.at.depth().saturating_add(1))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.number(self.bytes);
        match &self.base {
            None => encoder.number(0u32),
            Some(base) => {
                encoder.number(1u64 + u64::from(base.pages));
                base.at.encode(&mut encoder);
            }
        }
        encoder.length(self.runs.len());
        let mut end = 0;
        for run in &self.runs {
            encoder.number(run.first - end);
            encoder.number(run.pages);
            end = run.first + run.pages;
            match run.place {
                Place::Zeros => encoder.number(0u32),
                Place::Frame { source, frame, offset } => {
                    encoder.number(1u64 + u64::from(source));
                    encoder.number(frame);
                    encoder.number(offset);
                }
            }
        }
        for digest in &self.digests {
            encoder.raw(&digest.0);
        }
        encoder.into_bytes()
    }

    /// Reads a map and checks that it is one that could have been written.
    pub(super) fn decode(map: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(map);
        let bytes = decoder.number()?;
        if bytes > SEGMENT_BYTES {
            return Err(corrupt("a map is of more than a segment"));
        }
        let base = match decoder.small()?.checked_sub(1) {
            None => None,
            Some(pages) if pages <= SEGMENT_PAGES => {
                Some(Base { at: MapPlace::decode(&mut decoder)?, pages })
            }
            Some(_) => return Err(corrupt("a map is of more than a segment")),
        };
        let count = decoder.count(3)?;
        let mut runs = Vec::with_capacity(count);
        let (mut end, mut stored) = (0u32, 0usize);
        for _ in 0..count {
            let (gap, pages) = (decoder.small()?, decoder.small()?);
            let first = end.saturating_add(gap);
            end = first.saturating_add(pages);
            if pages == 0 || end > pages_of(bytes) {
                return Err(corrupt("a map holds pages outside of its file"));
            }
            let place = match decoder.small()?.checked_sub(1) {
                None => Place::Zeros,
                Some(source) => {
                    stored += usize::try_from(pages).unwrap_or(usize::MAX);
                    Place::Frame { source, frame: decoder.small()?, offset: decoder.small()? }
                }
            };
            runs.push(Run { first, pages, place });
        }
        let digests = decoder.raw(stored.saturating_mul(DIGEST_BYTES))?;
        decoder.end()?;
        let digests = digests.as_chunks::<DIGEST_BYTES>().0.iter().copied().map(PageDigest).collect();
        Ok(Self { bytes, base, runs, digests })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn maps_round_trip() {
        let place = Place::Frame { source: 3, frame: 70_000, offset: 8192 };
        let map = PageMap {
            bytes: 10 * 8192 + 5,
            base: Some(Base {
                at: MapPlace::Frame { source: 2, frame: 9, offset: 100, length: 300, depth: 4 },
                pages: 6,
            }),
            runs: vec![
                Run { first: 1, pages: 2, place },
                Run { first: 3, pages: 1, place: Place::Zeros },
                Run { first: 10, pages: 1, place },
            ],
            digests: vec![PageDigest([1; 8]), PageDigest([2; 8]), PageDigest([3; 8])],
        };
        assert_eq!(PageMap::decode(&map.encode()).unwrap(), map);
        assert_eq!(map.depth(), 5);
        let outside = PageMap { bytes: 10 * 8192, ..map };
        assert!(PageMap::decode(&outside.encode()).unwrap_err().to_string().contains("outside"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(map) = PageMap::decode(&bytes) {
                prop_assert_eq!(PageMap::decode(&map.encode()).unwrap(), map);
            }
        }
    }
}
