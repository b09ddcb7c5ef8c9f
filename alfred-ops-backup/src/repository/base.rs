//! The backup that a new one builds on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use alfred_ops_core::{Id, Result};

use super::ancestry::Ancestry;
use super::index::{IndexEntry, PackUse, SourceRef, Tables};
use super::page::SEGMENT_BYTES;
use super::page_map::{DEPTH_MAX, MapPlace, Place};
use super::segment_builder::Before;
use super::{BackupMode, BackupRecord, Repository};

/// Of a pack, less than this share in percent is needed: a backup that reads everything stores it again,
/// so that the pack can go.
const SPARSE_PERCENT: u64 = 50;

/// The backup that a new one builds on, and what the new one takes over from it.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) record: BackupRecord,
    ancestry: Ancestry,
    entries: HashMap<String, IndexEntry>,
    uses: Vec<PackUse>,
    /// Packs whose pages are stored again.
    sparse: HashSet<Id>,
    /// Raw bytes taken over: by the number of the backup and its frame, content and maps apart.
    pages_used: HashMap<(u32, u32), u64>,
    maps_used: HashMap<(u32, u32), u64>,
    /// Whether something was taken over without a look at it, so that what is needed is not known exactly.
    unseen: bool,
}

/// The number that an [`Ancestry`] gives to the first backup that it loads.
const BASE: u32 = 0;

impl Base {
    pub(super) async fn load(repository: Repository, record: BackupRecord, mode: BackupMode) -> Result<Self> {
        let mut ancestry = Ancestry::new(repository);
        let (_, index) = ancestry.load(record.index_ref()?).await?;
        // An incremental backup is small by all means; only a full one tidies up.
        let sparse = index
            .uses
            .iter()
            .filter(|pack| mode == BackupMode::Full && pack.live * 100 < pack.total * SPARSE_PERCENT)
            .map(|pack| pack.pack)
            .collect();
        let entries = index.entries.into_iter().map(|entry| (entry.entry.path.clone(), entry)).collect();
        Ok(Self {
            record,
            ancestry,
            entries,
            uses: index.uses,
            sparse,
            pages_used: HashMap::new(),
            maps_used: HashMap::new(),
            unseen: false,
        })
    }

    /// The length of the file of that path, where the base holds one.
    pub(super) fn file_bytes(&self, path: &str) -> Option<u64> {
        let entry = self.entries.get(path)?;
        (entry.segments.len() as u64 == entry.entry.bytes().div_ceil(SEGMENT_BYTES))
            .then(|| entry.entry.bytes())
    }

    /// A segment of the file of that path. Its pages are looked up where the new ones will be `compared`.
    pub(super) async fn segment(
        &mut self,
        path: &str,
        number: u64,
        compared: bool,
    ) -> Result<Option<Before>> {
        let Some(entry) = self.entries.get(path) else { return Ok(None) };
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(place) = entry.segments.get(at).cloned() else { return Ok(None) };
        let bytes = (entry.entry.bytes() - number * SEGMENT_BYTES).min(SEGMENT_BYTES);
        // What cannot be a base itself is written anew, for which its pages must be known.
        let rewritten = matches!(place, MapPlace::Inline(_)) || place.depth() >= DEPTH_MAX - 1;
        let segment = if compared || rewritten {
            Some(self.ancestry.segment(BASE, &place).await?)
        } else {
            self.unseen = true;
            None
        };
        self.unseen |= !compared;
        let place = self.ancestry.here(BASE, &place).await?;
        let renew = compared && self.lies_in_sparse_packs(&place).await?;
        Ok(Some(Before { place, bytes, segment, renew }))
    }

    /// Whether a stored map or one beneath it lies in a pack that shall go.
    async fn lies_in_sparse_packs(&mut self, place: &MapPlace) -> Result<bool> {
        if self.sparse.is_empty() || matches!(place, MapPlace::Inline(_)) {
            return Ok(false);
        }
        for place in self.ancestry.chain_here(place).await? {
            if let MapPlace::Frame { source, frame, .. } = place {
                let tables = self.tables(source)?;
                if self.sparse.contains(&tables.pack_of(tables.map_frame(frame)?)?) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Takes over a page, unless it had better be stored again.
    pub(super) fn reuse(&mut self, place: Place, bytes: usize) -> bool {
        let Place::Frame { source, frame, .. } = place else { return false };
        if !self.sparse.is_empty() {
            let pack = self.tables(source).ok().and_then(|tables| {
                let frame = tables.frame(frame).ok()?;
                tables.pack_of(frame).ok()
            });
            if pack.is_none_or(|pack| self.sparse.contains(&pack)) {
                return false;
            }
        }
        *self.pages_used.entry((source, frame)).or_default() += bytes as u64;
        true
    }

    /// Takes over a stored map and those beneath it.
    pub(super) async fn reuse_maps(&mut self, place: &MapPlace) -> Result<()> {
        for place in self.ancestry.chain_here(place).await? {
            if let MapPlace::Frame { source, frame, length, .. } = place {
                *self.maps_used.entry((source, frame)).or_default() += u64::from(length);
            }
        }
        Ok(())
    }

    pub(super) fn source(&self, number: u32) -> Result<SourceRef> {
        self.ancestry.source(number)
    }

    fn tables(&self, number: u32) -> Result<&Arc<Tables>> {
        self.ancestry.tables(number)
    }

    /// The packs of earlier backups that the new one needs.
    pub(super) fn packs_used(&self) -> Result<Vec<PackUse>> {
        if self.unseen {
            return Ok(self.uses.clone());
        }
        let mut live: HashMap<Id, u64> = HashMap::new();
        for (&(source, frame), &bytes) in &self.pages_used {
            let tables = self.tables(source)?;
            *live.entry(tables.pack_of(tables.frame(frame)?)?).or_default() += bytes;
        }
        for (&(source, frame), &bytes) in &self.maps_used {
            let tables = self.tables(source)?;
            *live.entry(tables.pack_of(tables.map_frame(frame)?)?).or_default() += bytes;
        }
        let used =
            self.uses.iter().filter_map(|pack| Some(PackUse { live: *live.get(&pack.pack)?, ..*pack }));
        Ok(used.collect())
    }
}
