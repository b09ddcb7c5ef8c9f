//! What must lie in a pack.

use std::sync::Arc;

use bytes::Bytes;

use super::DamageKind;
use super::examination::Wrong;
use crate::repository::Layout;
use crate::repository::index::{FrameRef, Tables};
use crate::repository::sealer::{Check, Sealer};
use alfred_ops_core::Id;

/// All frames of one pack, as the index of the backup that wrote it lists them.
#[derive(Debug, Clone)]
pub(super) struct PackContents {
    owner: Id,
    tables: Arc<Tables>,
    /// The pack's number there.
    number: u32,
}

impl PackContents {
    pub(super) const fn new(owner: Id, tables: Arc<Tables>, number: u32) -> Self {
        Self { owner, tables, number }
    }

    fn frames(&self) -> impl Iterator<Item = &FrameRef> {
        // Lists are in the order of packs.
        let of_pack = |frames: &'_ [FrameRef]| {
            let first = frames.partition_point(|frame| frame.pack < self.number);
            first..frames.partition_point(|frame| frame.pack <= self.number)
        };
        let (frames, maps) = (&self.tables.frames, &self.tables.maps);
        let pages = frames.get(of_pack(frames)).unwrap_or_default();
        pages.iter().chain(maps.get(of_pack(maps)).unwrap_or_default())
    }

    /// The pack is at least so long.
    pub(super) fn bytes_min(&self) -> u64 {
        self.frames().map(|frame| u64::from(frame.offset) + u64::from(frame.stored)).max().unwrap_or(0)
    }

    /// Opens and hashes every frame.
    pub(super) fn check(&self, pack: &Bytes, sealer: &Sealer) -> Result<(), Wrong> {
        let owner = Layout::snapshot(self.owner);
        let wanted = self.bytes_min();
        if (pack.len() as u64) < wanted {
            return Err(too_short(pack.len() as u64, wanted));
        }
        let mut wrong: Option<(u32, String)> = None;
        let mut count = 0u32;
        for frame in self.frames() {
            let start = usize::try_from(frame.offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(frame.stored).unwrap_or(usize::MAX));
            let bytes = pack.get(start..end).unwrap_or_default();
            if let Err(error) = sealer.open_as(&owner, bytes, Some(frame.id), Check::Hash) {
                count += 1;
                wrong.get_or_insert_with(|| (frame.offset, error.to_string()));
            }
        }
        match wrong {
            None => Ok(()),
            Some((at, what)) => Err(Wrong {
                kind: DamageKind::Changed,
                what: format!("{count} of its frames are damaged, the first at byte {at}: {what}"),
            }),
        }
    }
}

pub(super) fn too_short(bytes: u64, wanted: u64) -> Wrong {
    Wrong { kind: DamageKind::Short, what: format!("it has {bytes} bytes and must have at least {wanted}") }
}
