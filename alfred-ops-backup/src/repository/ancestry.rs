//! The indexes of a backup and of those that it stands on.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Id, Result, blocking};
use bytes::Bytes;

use super::index::{FrameRef, Index, SourceRef, Tables};
use super::page_map::{DEPTH_MAX, MapPlace, PageMap, Place};
use super::sealer::Check;
use super::segment::Segment;
use super::{Layout, Repository, read_again_if_damaged};

/// Raw bytes of map frames that are kept for the next file.
const MAP_CACHE_BYTES: usize = 16 << 20;

/// The indexes of a backup and of those that it stands on, each with a number, loaded when they are first
/// named.
#[derive(Debug, Clone)]
pub(super) struct Ancestry {
    repository: Repository,
    members: Vec<Member>,
    numbers: HashMap<Id, u32>,
    /// Least recently used first.
    map_frames: Vec<((u32, u32), Bytes)>,
}

#[derive(Debug, Clone)]
struct Member {
    source: SourceRef,
    tables: Arc<Tables>,
    /// The number here of each of its sources; itself first.
    numbers: Vec<Option<u32>>,
}

impl Ancestry {
    pub(super) fn new(repository: Repository) -> Self {
        Self { repository, members: Vec::new(), numbers: HashMap::new(), map_frames: Vec::new() }
    }

    /// Loads a backup's whole index and gives it the next number.
    pub(super) async fn load(&mut self, source: SourceRef) -> Result<(u32, Index)> {
        let mut index = Index::decode(&self.repository.load_index(&source).await?)
            .map_err(|error| error.with_target(self.repository.key_target(&Layout::index(source.id))))?;
        let tables = std::mem::take(&mut index.tables);
        Ok((self.enrol(source, tables)?, index))
    }

    fn enrol(&mut self, source: SourceRef, tables: Tables) -> Result<u32> {
        let number = u32::try_from(self.members.len()).map_err(|_| too_many())?;
        let mut numbers = vec![None; tables.sources.len() + 1];
        numbers[0] = Some(number);
        self.members.push(Member { source, tables: Arc::new(tables), numbers });
        self.numbers.insert(source.id, number);
        Ok(number)
    }

    pub(super) fn source(&self, number: u32) -> Result<SourceRef> {
        Ok(self.member(number)?.source)
    }

    pub(super) fn tables(&self, number: u32) -> Result<&Arc<Tables>> {
        Ok(&self.member(number)?.tables)
    }

    fn member(&self, number: u32) -> Result<&Member> {
        usize::try_from(number).ok().and_then(|number| self.members.get(number)).ok_or_else(unknown)
    }

    /// The number here of what `owner` calls its source `local`.
    pub(super) async fn translate(&mut self, owner: u32, local: u32) -> Result<u32> {
        let at = usize::try_from(local).unwrap_or(usize::MAX);
        let member = self.member(owner)?;
        if let Some(&Some(number)) = member.numbers.get(at) {
            return Ok(number);
        }
        let source = *at.checked_sub(1).and_then(|at| member.tables.sources.get(at)).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "read map", "it names a source that is not listed")
        })?;
        let number = match self.numbers.get(&source.id) {
            Some(&number) => number,
            None => {
                let index = self.repository.load_index(&source).await?;
                self.enrol(source, Tables::read(&index)?)?
            }
        };
        let slot = usize::try_from(owner).ok().and_then(|owner| self.members.get_mut(owner));
        if let Some(slot) = slot.and_then(|member| member.numbers.get_mut(at)) {
            *slot = Some(number);
        }
        Ok(number)
    }

    /// The map at a place, its sources numbered as here. `owner` is whose index or map names the place.
    pub(super) async fn map(&mut self, owner: u32, place: &MapPlace) -> Result<PageMap> {
        let (owner, map) = match place {
            MapPlace::Inline(map) => (owner, PageMap::decode(map)?),
            MapPlace::Frame { source, frame, offset, length, .. } => {
                let member = self.translate(owner, *source).await?;
                let data = self.map_frame(member, *frame).await?;
                let start = usize::try_from(*offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(*length).unwrap_or(usize::MAX));
                let map = data.get(start..end).ok_or_else(|| {
                    Error::new(ErrorKind::Corrupt, "read map", "it lies outside of its frame")
                })?;
                (member, PageMap::decode(map)?)
            }
        };
        self.renumber(owner, map).await
    }

    async fn renumber(&mut self, owner: u32, mut map: PageMap) -> Result<PageMap> {
        for run in &mut map.runs {
            if let Place::Frame { source, .. } = &mut run.place {
                *source = self.translate(owner, *source).await?;
            }
        }
        if let Some(base) = &mut map.base {
            match &mut base.at {
                MapPlace::Frame { source, .. } => *source = self.translate(owner, *source).await?,
                // An inline map is of small files, which are written whole; it is nobody's base.
                MapPlace::Inline(_) => {
                    return Err(Error::new(ErrorKind::Corrupt, "read map", "its base is an inline map"));
                }
            }
        }
        Ok(map)
    }

    /// Where every page of a segment lies.
    pub(super) async fn segment(&mut self, owner: u32, place: &MapPlace) -> Result<Segment> {
        let mut newest_first = vec![self.map(owner, place).await?];
        while let Some(base) = newest_first.last().and_then(|map| map.base.clone()) {
            if newest_first.len() > usize::from(DEPTH_MAX) {
                return Err(Error::new(ErrorKind::Corrupt, "read map", "it lies over too many others"));
            }
            newest_first.push(self.map_here(&base.at).await?);
        }
        Ok(newest_first.iter().rev().fold(Segment::default(), |segment, map| segment.overlay(map)))
    }

    /// A stored map's place and those beneath it, all numbered as here.
    pub(super) async fn chain_here(&mut self, place: &MapPlace) -> Result<Vec<MapPlace>> {
        let mut chain = Vec::new();
        let mut next = Some(place.clone());
        while let Some(place) = next.filter(|_| chain.len() <= usize::from(DEPTH_MAX)) {
            next = self.map_here(&place).await?.base.map(|base| base.at);
            chain.push(place);
        }
        Ok(chain)
    }

    /// A place as numbered here.
    pub(super) async fn here(&mut self, owner: u32, place: &MapPlace) -> Result<MapPlace> {
        let mut place = place.clone();
        if let MapPlace::Frame { source, .. } = &mut place {
            *source = self.translate(owner, *source).await?;
        }
        Ok(place)
    }

    /// The map at a place that is numbered as here.
    async fn map_here(&mut self, place: &MapPlace) -> Result<PageMap> {
        let MapPlace::Frame { source, frame, offset, length, depth } = *place else { return Err(unknown()) };
        let itself = MapPlace::Frame { source: 0, frame, offset, length, depth };
        self.map(source, &itself).await
    }

    async fn map_frame(&mut self, member: u32, frame: u32) -> Result<Bytes> {
        let key = (member, frame);
        if let Some(at) = self.map_frames.iter().position(|(of, _)| *of == key) {
            let kept = self.map_frames.remove(at);
            let data = kept.1.clone();
            self.map_frames.push(kept);
            return Ok(data);
        }
        let tables = Arc::clone(self.tables(member)?);
        let place = *tables.map_frame(frame)?;
        let backup = self.source(member)?.id;
        let data =
            read_frames(&self.repository, backup, &tables, &[place], Check::Hash).await?.into_iter().next();
        let data = data.ok_or_else(unknown)?;
        self.map_frames.push((key, data.clone()));
        while self.map_frames.len() > 1
            && self.map_frames.iter().map(|(_, data)| data.len()).sum::<usize>() > MAP_CACHE_BYTES
        {
            self.map_frames.remove(0);
        }
        Ok(data)
    }
}

/// Fetches frames that lie side by side in one pack by one request and opens each.
pub(super) async fn read_frames(
    repository: &Repository,
    backup: Id,
    tables: &Tables,
    frames: &[FrameRef],
    check: Check,
) -> Result<Vec<Bytes>> {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(Vec::new()) };
    let key = Layout::pack(tables.pack_of(first)?);
    let (start, end) = (u64::from(first.offset), u64::from(last.offset) + u64::from(last.stored));
    let read = || async {
        let stored = repository.store.get_range(&key, start..end).await?;
        let (sealer, frames) = (repository.sealer.clone(), frames.to_vec());
        let (owner, target) = (Layout::snapshot(backup), repository.key_target(&key));
        blocking(move || {
            let open = |frame: &FrameRef| {
                let bytes = stored.get(within(frame, start)).ok_or_else(|| {
                    Error::new(ErrorKind::Corrupt, "read frame", "the pack is shorter than its index says")
                })?;
                sealer.open_as(&owner, bytes, Some(frame.id), check)
            };
            let opened = frames.iter().map(|frame| open(frame).map_err(|e| e.with_target(target.clone())));
            opened.collect()
        })
        .await?
    };
    read_again_if_damaged(read).await
}

fn within(frame: &FrameRef, start: u64) -> Range<usize> {
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
    let from = u64::from(frame.offset).saturating_sub(start);
    at(from)..at(from + u64::from(frame.stored))
}

fn unknown() -> Error {
    Error::new(ErrorKind::Internal, "read index", "a number belongs to no backup")
}

fn too_many() -> Error {
    Error::new(ErrorKind::ResourceExhausted, "read index", "the backup stands on too many others")
}
