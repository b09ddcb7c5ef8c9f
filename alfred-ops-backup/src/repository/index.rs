//! What a backup holds and where its frames lie.

use alfred_ops_core::{Error, ErrorKind, Id, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frame::FRAME_RAW_MAX;
use super::{Compression, Entry, decode_frame, encode_frame, split_frames};

/// What a backup holds and where its frames lie. It is kept in memory whole: some 100 bytes for each
/// file and each MiB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
    pub(crate) packs: Vec<Id>,
    pub(crate) frames: Vec<FrameRef>,
}

/// Where one frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrameRef {
    /// Which of the index's packs.
    pub(crate) pack: u32,
    pub(crate) offset: u64,
    /// Its length there, header included.
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    #[serde(with = "hex_hash")]
    pub(crate) hash: blake3::Hash,
}

impl Index {
    /// The index as it is stored.
    pub(crate) fn encode(&self, compression: Compression) -> Result<Bytes> {
        let json = serde_json::to_vec(self).map_err(|source| {
            Error::new(ErrorKind::Internal, "write index", "it has no JSON").with_source(source)
        })?;
        let mut object = Vec::new();
        for part in json.chunks(FRAME_RAW_MAX) {
            object.extend_from_slice(&encode_frame(part, compression)?.bytes);
        }
        Ok(object.into())
    }

    /// Reads a stored index and checks that it is one that could have been written.
    pub(crate) fn decode(object: &Bytes) -> Result<Self> {
        let mut json = Vec::new();
        for frame in split_frames(object)? {
            json.extend_from_slice(&decode_frame(&frame, None)?);
        }
        let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, "read index", what);
        let index: Self = serde_json::from_slice(&json)
            .map_err(|source| corrupt("it is not what alfred-ops writes").with_source(source))?;
        for entry in &index.entries {
            Entry::check_path(&entry.path)?;
        }
        let content: u64 = index.entries.iter().map(Entry::bytes).fold(0, u64::saturating_add);
        let held: u64 = index.frames.iter().map(|frame| u64::from(frame.raw)).sum();
        if content != held {
            return Err(corrupt("its files and its frames differ in length"));
        }
        let packs = index.packs.len();
        if index.frames.iter().any(|frame| usize::try_from(frame.pack).is_ok_and(|pack| pack >= packs)) {
            return Err(corrupt("a frame names a pack that is not listed"));
        }
        Ok(index)
    }

    pub(crate) fn pack_of(&self, frame: &FrameRef) -> Result<Id> {
        usize::try_from(frame.pack).ok().and_then(|pack| self.packs.get(pack)).copied().ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "read index", "a frame names a pack that is not listed")
        })
    }
}

mod hex_hash {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hash.to_hex().as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}
