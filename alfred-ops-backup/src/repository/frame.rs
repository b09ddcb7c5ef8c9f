//! The unit of storage: its header, and how frames lie in an object.

use alfred_ops_core::{Error, ErrorKind, Result};
use bytes::Bytes;

/// The most raw data that a frame may hold: what a reader must be able to keep in memory.
pub(crate) const FRAME_RAW_MAX: usize = 4 << 20;
/// The length of a [`FrameHeader`].
pub(super) const HEADER_BYTES: usize = 44;

const MAGIC: [u8; 2] = [0xaf, 0x01];

/// How a frame's payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Stored,
    Zstd,
}

/// What stands before a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) codec: Codec,
    pub(super) encrypted: bool,
    pub(super) raw: usize,
    pub(super) payload: usize,
    pub(super) id: blake3::Hash,
}

impl FrameHeader {
    pub(super) fn write(&self) -> Result<[u8; HEADER_BYTES]> {
        let length = |bytes: usize| {
            u32::try_from(bytes)
                .ok()
                .filter(|_| self.raw <= FRAME_RAW_MAX)
                .ok_or_else(|| {
                    let what = format!("{bytes} bytes are more than a frame holds");
                    Error::new(ErrorKind::Internal, "write frame", what)
                })
                .map(u32::to_le_bytes)
        };
        let mut header = [0; HEADER_BYTES];
        header[..2].copy_from_slice(&MAGIC);
        header[2] = u8::from(self.codec == Codec::Zstd);
        header[3] = u8::from(self.encrypted);
        header[4..8].copy_from_slice(&length(self.raw)?);
        header[8..12].copy_from_slice(&length(self.payload)?);
        header[12..].copy_from_slice(self.id.as_bytes());
        Ok(header)
    }

    pub(super) fn read(frame: &[u8]) -> Result<Self> {
        let header: &[u8; HEADER_BYTES] =
            frame.first_chunk().ok_or_else(|| corrupt("it is shorter than its header"))?;
        let [m0, m1, codec, cipher, a, b, c, d, e, f, g, h, id @ ..] = header;
        if [*m0, *m1] != MAGIC {
            return Err(corrupt("it does not begin as a frame does"));
        }
        let codec = match codec {
            0 => Codec::Stored,
            1 => Codec::Zstd,
            other => return Err(unknown("codec", *other)),
        };
        let encrypted = match cipher {
            0 => false,
            1 => true,
            other => return Err(unknown("cipher", *other)),
        };
        let length = |bytes: [u8; 4]| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let (raw, payload) = (length([*a, *b, *c, *d]), length([*e, *f, *g, *h]));
        if raw > FRAME_RAW_MAX {
            return Err(corrupt("it claims more raw data than a frame may hold"));
        }
        Ok(Self { codec, encrypted, raw, payload, id: blake3::Hash::from_bytes(*id) })
    }
}

/// Cuts an object into its frames.
pub(crate) fn split_frames(object: &Bytes) -> Result<Vec<Bytes>> {
    let mut frames = Vec::new();
    let mut rest = object.clone();
    while !rest.is_empty() {
        let length = HEADER_BYTES.saturating_add(FrameHeader::read(&rest)?.payload);
        if rest.len() < length {
            return Err(corrupt("it is cut short"));
        }
        frames.push(rest.split_to(length));
    }
    Ok(frames)
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "read frame", what)
}

fn unknown(what: &str, number: u8) -> Error {
    Error::new(ErrorKind::Unsupported, "read frame", format!("{what} {number} is unknown to this version"))
        .with_remedy("use a newer version of alfred-ops")
}
