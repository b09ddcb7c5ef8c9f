//! What a backup holds and where it lies.

use alfred_ops_core::{Id, Result};

use super::binary::{Decoder, Encoder, corrupt};
use super::page::SEGMENT_BYTES;
use super::page_map::MapPlace;
use super::{Entry, EntryKind};

const HASH_BYTES: usize = 32;

/// What a backup holds and where it lies. It is kept in memory whole: some 60 bytes for each MiB that
/// the backup stored, and some 100 for each file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    pub(super) tables: Tables,
    /// Every pack that the backup needs, its own and those of earlier backups.
    pub(super) uses: Vec<PackUse>,
    pub(super) entries: Vec<IndexEntry>,
}

/// Where the frames of a backup lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tables {
    /// Earlier backups whose frames its maps name: number 1 is the first of them, 0 is the backup itself.
    pub(super) sources: Vec<SourceRef>,
    pub(super) packs: Vec<Id>,
    /// Frames of content.
    pub(super) frames: Vec<FrameRef>,
    /// Frames of page maps.
    pub(super) maps: Vec<FrameRef>,
}

/// An earlier backup's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceRef {
    pub(super) id: Id,
    pub(super) index_hash: blake3::Hash,
}

/// Where one frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameRef {
    /// Which of the index's packs.
    pub(super) pack: u32,
    pub(super) offset: u32,
    /// Its length there, header included.
    pub(super) stored: u32,
    pub(super) raw: u32,
    pub(super) id: blake3::Hash,
}

/// How much of a pack a backup needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackUse {
    pub(super) pack: Id,
    /// Raw bytes that the backup needs, at most: an incremental backup takes over what its parent needed.
    pub(super) live: u64,
    /// Raw bytes in all.
    pub(super) total: u64,
}

/// One thing that the backup holds, and the maps of its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) entry: Entry,
    pub(super) segments: Vec<MapPlace>,
}

impl Index {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        self.tables.encode(&mut encoder);
        encoder.length(self.uses.len());
        for pack in &self.uses {
            encoder.id(pack.pack);
            encoder.number(pack.live);
            encoder.number(pack.total);
        }
        encoder.length(self.entries.len());
        let mut before = "";
        for IndexEntry { entry, segments } in &self.entries {
            let shared = before.bytes().zip(entry.path.bytes()).take_while(|(a, b)| a == b).count();
            encoder.length(shared);
            encoder.bytes(&entry.path.as_bytes()[shared..]);
            encoder.number(entry.mode);
            encoder.signed(entry.modified);
            match &entry.kind {
                EntryKind::File { bytes } => {
                    encoder.number(0u32);
                    encoder.number(*bytes);
                    segments.iter().for_each(|segment| segment.encode(&mut encoder));
                }
                EntryKind::Directory => encoder.number(1u32),
                EntryKind::Symlink { target } => {
                    encoder.number(2u32);
                    encoder.bytes(target.as_bytes());
                }
            }
            before = &entry.path;
        }
        encoder.into_bytes()
    }

    /// Reads an index and checks that it is one that could have been written.
    pub(super) fn decode(index: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(index);
        let tables = Tables::decode(&mut decoder)?;
        let mut uses = Vec::new();
        for _ in 0..decoder.count(18)? {
            uses.push(PackUse { pack: decoder.id()?, live: decoder.number()?, total: decoder.number()? });
        }
        let mut entries = Vec::new();
        let mut path: Vec<u8> = Vec::new();
        for _ in 0..decoder.count(5)? {
            let shared = usize::try_from(decoder.number()?).unwrap_or(usize::MAX);
            if shared > path.len() {
                return Err(corrupt("a path shares more than there is"));
            }
            path.truncate(shared);
            path.extend_from_slice(decoder.bytes()?);
            let text = std::str::from_utf8(&path).map_err(|_| corrupt("a path is not UTF-8"))?;
            entries.push(IndexEntry::decode(text, &mut decoder)?);
        }
        decoder.end()?;
        Ok(Self { tables, uses, entries })
    }
}

impl IndexEntry {
    fn decode(path: &str, decoder: &mut Decoder<'_>) -> Result<Self> {
        Entry::check_path(path)?;
        let (mode, modified) = (decoder.small()?, decoder.signed()?);
        let mut segments = Vec::new();
        let kind = match decoder.number()? {
            0 => {
                let bytes = decoder.number()?;
                for _ in 0..bytes.div_ceil(SEGMENT_BYTES) {
                    segments.push(MapPlace::decode(decoder)?);
                }
                EntryKind::File { bytes }
            }
            1 => EntryKind::Directory,
            2 => EntryKind::Symlink { target: decoder.text()?.to_owned() },
            _ => return Err(corrupt("an entry is of an unknown kind")),
        };
        Ok(Self { entry: Entry { path: path.to_owned(), kind, mode, modified }, segments })
    }
}

impl Tables {
    /// The tables at the beginning of an index.
    pub(super) fn read(index: &[u8]) -> Result<Self> {
        Self::decode(&mut Decoder::new(index))
    }

    fn encode(&self, encoder: &mut Encoder) {
        encoder.length(self.sources.len());
        for source in &self.sources {
            encoder.id(source.id);
            encoder.raw(source.index_hash.as_bytes());
        }
        encoder.length(self.packs.len());
        self.packs.iter().for_each(|&pack| encoder.id(pack));
        for frames in [&self.frames, &self.maps] {
            encoder.length(frames.len());
            let (mut pack, mut offset) = (0, 0);
            for frame in frames {
                if frame.pack != pack {
                    offset = 0;
                }
                encoder.number(frame.pack - pack);
                encoder.number(frame.offset - offset);
                encoder.number(frame.stored);
                encoder.number(frame.raw);
                encoder.raw(frame.id.as_bytes());
                (pack, offset) = (frame.pack, frame.offset + frame.stored);
            }
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self> {
        let mut tables = Self::default();
        for _ in 0..decoder.count(16 + HASH_BYTES)? {
            let id = decoder.id()?;
            tables.sources.push(SourceRef { id, index_hash: blake3::Hash::from_bytes(decoder.array()?) });
        }
        for _ in 0..decoder.count(16)? {
            tables.packs.push(decoder.id()?);
        }
        for frames in [&mut tables.frames, &mut tables.maps] {
            let (mut pack, mut offset) = (0u32, 0u32);
            for _ in 0..decoder.count(4 + HASH_BYTES)? {
                let step = decoder.small()?;
                if step > 0 {
                    offset = 0;
                }
                pack = pack.saturating_add(step);
                offset = offset.saturating_add(decoder.small()?);
                let (stored, raw) = (decoder.small()?, decoder.small()?);
                let id = blake3::Hash::from_bytes(decoder.array()?);
                if usize::try_from(pack).is_ok_and(|pack| pack >= tables.packs.len()) {
                    return Err(corrupt("a frame names a pack that is not listed"));
                }
                frames.push(FrameRef { pack, offset, stored, raw, id });
                offset = offset.saturating_add(stored);
            }
        }
        Ok(tables)
    }

    pub(super) fn pack_of(&self, frame: &FrameRef) -> Result<Id> {
        usize::try_from(frame.pack)
            .ok()
            .and_then(|pack| self.packs.get(pack))
            .copied()
            .ok_or_else(|| corrupt("a frame names a pack that is not listed"))
    }

    /// The frame of content of that number.
    pub(super) fn frame(&self, number: u32) -> Result<&FrameRef> {
        nth(&self.frames, number)
    }

    /// The frame of maps of that number.
    pub(super) fn map_frame(&self, number: u32) -> Result<&FrameRef> {
        nth(&self.maps, number)
    }
}

fn nth(frames: &[FrameRef], number: u32) -> Result<&FrameRef> {
    usize::try_from(number)
        .ok()
        .and_then(|number| frames.get(number))
        .ok_or_else(|| corrupt("a map names a frame that is not listed"))
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::SeededEntropy;
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn indexes_round_trip() {
        let entropy = SeededEntropy::new(5);
        let id = || Id::new(DateTime::UNIX_EPOCH, &entropy);
        let frame = |pack, offset| FrameRef { pack, offset, stored: 90, raw: 100, id: blake3::hash(b"x") };
        let entry = |path: &str, kind, segments| IndexEntry {
            entry: Entry { path: path.to_owned(), kind, mode: 0o600, modified: -3 },
            segments,
        };
        let stored = MapPlace::Frame { source: 1, frame: 0, offset: 7, length: 9, depth: 2 };
        let index = Index {
            tables: Tables {
                sources: vec![SourceRef { id: id(), index_hash: blake3::hash(b"y") }],
                packs: vec![id(), id()],
                frames: vec![frame(0, 0), frame(0, 90), frame(1, 30)],
                maps: vec![frame(0, 180)],
            },
            uses: vec![PackUse { pack: id(), live: 5, total: 1 << 40 }],
            entries: vec![
                entry("base", EntryKind::Directory, Vec::new()),
                entry("base/1", EntryKind::File { bytes: (1 << 30) + 1 }, vec![stored.clone(), stored]),
                entry("base/2", EntryKind::File { bytes: 2 }, vec![MapPlace::Inline(vec![1, 2])]),
                entry("z", EntryKind::Symlink { target: "/mnt/z".to_owned() }, Vec::new()),
            ],
        };
        let bytes = index.encode();
        assert_eq!(Index::decode(&bytes).unwrap(), index);
        assert_eq!(Tables::read(&bytes).unwrap(), index.tables);
        assert!(Index::decode(&bytes[..bytes.len() - 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Index::decode(&bytes);
        }
    }
}
