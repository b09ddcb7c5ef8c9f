//! The index of a backup that is being written.

use std::collections::HashMap;

use alfred_ops_core::Result;

use super::base::Base;
use super::content_writer::{OWN, StoredContent};
use super::index::{Index, IndexEntry, PackUse, SourceRef, Tables};
use super::page_map::{MapPlace, PageMap, Place};
use super::{Entry, EntryKind};

/// Collects entries, and gives earlier backups the numbers that the index knows them by.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    entries: Vec<IndexEntry>,
    sources: Vec<SourceRef>,
    /// The index's number of a source by that of the ancestry.
    numbers: HashMap<u32, u32>,
}

impl IndexBuilder {
    pub(super) const fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    pub(super) fn add(&mut self, entry: Entry) -> usize {
        self.entries.push(IndexEntry { entry, segments: Vec::new() });
        self.entries.len() - 1
    }

    pub(super) fn path(&self, entry: usize) -> Option<&str> {
        Some(&self.entries.get(entry)?.entry.path)
    }

    pub(super) fn set_bytes(&mut self, entry: usize, length: u64) {
        if let Some(IndexEntry { entry: Entry { kind: EntryKind::File { bytes }, .. }, .. }) =
            self.entries.get_mut(entry)
        {
            *bytes = length;
        }
    }

    pub(super) fn add_segment(&mut self, entry: usize, place: MapPlace) {
        if let Some(entry) = self.entries.get_mut(entry) {
            entry.segments.push(place);
        }
    }

    /// A map's place, numbered as the index will be.
    pub(super) fn localise(&mut self, mut place: MapPlace, base: Option<&Base>) -> Result<MapPlace> {
        if let MapPlace::Frame { source, .. } = &mut place {
            *source = self.number(*source, base)?;
        }
        Ok(place)
    }

    /// A map, numbered as the index will be.
    pub(super) fn localise_map(&mut self, mut map: PageMap, base: Option<&Base>) -> Result<PageMap> {
        for run in &mut map.runs {
            if let Place::Frame { source, .. } = &mut run.place {
                *source = self.number(*source, base)?;
            }
        }
        if let Some(beneath) = &mut map.base
            && let MapPlace::Frame { source, .. } = &mut beneath.at
        {
            *source = self.number(*source, base)?;
        }
        Ok(map)
    }

    fn number(&mut self, ancestral: u32, base: Option<&Base>) -> Result<u32> {
        let Some(base) = base.filter(|_| ancestral != OWN) else { return Ok(0) };
        if let Some(&number) = self.numbers.get(&ancestral) {
            return Ok(number);
        }
        self.sources.push(base.source(ancestral)?);
        let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.numbers.insert(ancestral, number);
        Ok(number)
    }

    pub(super) fn finish(self, content: StoredContent, base: Option<&Base>) -> Result<Index> {
        let mut totals = vec![0u64; content.packs.len()];
        for frame in content.frames.iter().chain(&content.maps) {
            if let Some(total) = usize::try_from(frame.pack).ok().and_then(|pack| totals.get_mut(pack)) {
                *total += u64::from(frame.raw);
            }
        }
        let own = content.packs.iter().zip(totals).map(|(&pack, total)| PackUse { pack, live: total, total });
        let mut uses: Vec<PackUse> = base.map(Base::packs_used).transpose()?.unwrap_or_default();
        uses.extend(own);
        let tables = Tables {
            sources: self.sources,
            packs: content.packs,
            frames: content.frames,
            maps: content.maps,
        };
        Ok(Index { tables, uses, entries: self.entries })
    }
}
