//! The unit of storage: compressed, hashed, readable by itself.

use alfred_ops_core::{Error, ErrorKind, Result};
use bytes::Bytes;

use super::Compression;

/// The most raw data that a frame may hold: what a reader must be able to keep in memory.
pub(crate) const FRAME_RAW_MAX: usize = 4 << 20;

const HEADER: usize = 44;
const MAGIC: u8 = 0xaf;
const STORED: u8 = 0;
const ZSTD: u8 = 1;
const CIPHER_NONE: u8 = 0;

/// A frame as it is stored, and the hash of what it holds.
#[derive(Debug)]
pub(crate) struct EncodedFrame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: blake3::Hash,
    pub(crate) raw_bytes: u32,
}

/// Compresses and hashes `raw`. Incompressible data is stored as it is.
pub(crate) fn encode_frame(raw: &[u8], compression: Compression) -> Result<EncodedFrame> {
    let broken = |what: String| Error::new(ErrorKind::Internal, "encode frame", what);
    let raw_bytes = u32::try_from(raw.len())
        .ok()
        .filter(|_| raw.len() <= FRAME_RAW_MAX)
        .ok_or_else(|| broken(format!("{} bytes are more than a frame holds", raw.len())))?;
    let hash = blake3::hash(raw);
    let mut bytes = vec![0; HEADER + zstd::zstd_safe::compress_bound(raw.len())];
    let compressed = zstd::bulk::compress_to_buffer(raw, &mut bytes[HEADER..], compression.level())
        .map_err(|source| broken("zstd failed".to_owned()).with_source(source))?;
    let (codec, payload) = if compressed < raw.len() { (ZSTD, compressed) } else { (STORED, raw.len()) };
    bytes.truncate(HEADER + payload);
    if codec == STORED {
        bytes[HEADER..].copy_from_slice(raw);
    }
    let payload = u32::try_from(payload).map_err(|_| broken("the payload is too long".to_owned()))?;
    bytes[..4].copy_from_slice(&[MAGIC, codec, CIPHER_NONE, 0]);
    bytes[4..8].copy_from_slice(&raw_bytes.to_le_bytes());
    bytes[8..12].copy_from_slice(&payload.to_le_bytes());
    bytes[12..HEADER].copy_from_slice(hash.as_bytes());
    Ok(EncodedFrame { bytes, hash, raw_bytes })
}

/// The raw data of one whole frame, checked against the hash in its header and, where the caller knows it,
/// against the hash that an index names.
pub(crate) fn decode_frame(frame: &[u8], wanted: Option<blake3::Hash>) -> Result<Bytes> {
    let header = Header::parse(frame)?;
    let payload = &frame[HEADER..];
    if payload.len() != header.payload {
        return Err(corrupt("its payload has the wrong length"));
    }
    let raw = match header.codec {
        STORED => payload.to_vec(),
        ZSTD => zstd::bulk::decompress(payload, header.raw)
            .map_err(|source| corrupt("its payload does not decompress").with_source(source))?,
        other => return Err(unknown("codec", other)),
    };
    let hash = blake3::hash(&raw);
    if raw.len() != header.raw || hash != header.hash || wanted.is_some_and(|wanted| wanted != hash) {
        return Err(corrupt("its content does not match its hash"));
    }
    Ok(raw.into())
}

/// Cuts an object into its frames.
pub(crate) fn split_frames(object: &Bytes) -> Result<Vec<Bytes>> {
    let mut frames = Vec::new();
    let mut rest = object.clone();
    while !rest.is_empty() {
        let length = HEADER + Header::parse(&rest)?.payload;
        if rest.len() < length {
            return Err(corrupt("it is cut short"));
        }
        frames.push(rest.split_to(length));
    }
    Ok(frames)
}

struct Header {
    codec: u8,
    raw: usize,
    payload: usize,
    hash: blake3::Hash,
}

impl Header {
    fn parse(frame: &[u8]) -> Result<Self> {
        let header: &[u8; HEADER] =
            frame.first_chunk().ok_or_else(|| corrupt("it is shorter than its header"))?;
        let [magic, codec, cipher, _, a, b, c, d, e, f, g, h, hash @ ..] = header;
        if *magic != MAGIC {
            return Err(corrupt("it does not begin as a frame does"));
        }
        if *cipher != CIPHER_NONE {
            return Err(unknown("cipher", *cipher));
        }
        let length = |bytes: [u8; 4]| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let raw = length([*a, *b, *c, *d]);
        if raw > FRAME_RAW_MAX {
            return Err(corrupt("it claims more raw data than a frame may hold"));
        }
        Ok(Self {
            codec: *codec,
            raw,
            payload: length([*e, *f, *g, *h]),
            hash: blake3::Hash::from_bytes(*hash),
        })
    }
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "read frame", what)
}

fn unknown(what: &str, number: u8) -> Error {
    Error::new(ErrorKind::Unsupported, "read frame", format!("{what} {number} is unknown to this version"))
        .with_remedy("use a newer version of alfred-ops")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn data_round_trips(raw in prop::collection::vec(0u8..4, 0..5000), noise: bool) {
            let raw = if noise { blake3::hash(&raw).as_bytes().to_vec() } else { raw };
            let frame = encode_frame(&raw, Compression::default()).unwrap();
            prop_assert_eq!(&decode_frame(&frame.bytes, Some(frame.hash)).unwrap()[..], &raw[..]);
        }

        #[test]
        fn every_flipped_bit_is_found(raw in prop::collection::vec(any::<u8>(), 1..300), at: prop::sample::Index) {
            let mut bytes = encode_frame(&raw, Compression::default()).unwrap().bytes;
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A changed header may be refused in several ways; what counts is that wrong data never passes.
            if let Ok(read) = decode_frame(&bytes, None) {
                prop_assert_eq!(bit / 8, 3, "only the reserved byte may change unseen");
                prop_assert_eq!(&read[..], &raw[..]);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode_frame(&bytes, None);
            let _ = split_frames(&Bytes::from(bytes));
        }
    }

    #[test]
    fn frames_in_a_row_are_told_apart() {
        let parts: [&[u8]; 3] = [b"one", b"", b"threeeeeeeeeeeeeeeeeeee"];
        let object: Vec<u8> =
            parts.iter().flat_map(|part| encode_frame(part, Compression::FAST).unwrap().bytes).collect();
        let object = Bytes::from(object);
        let read: Vec<Bytes> =
            split_frames(&object).unwrap().iter().map(|frame| decode_frame(frame, None).unwrap()).collect();
        assert_eq!(read, parts);
        let error = split_frames(&object.slice(..object.len() - 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}
