//! From raw data to frames and back.

use std::cell::RefCell;
use std::io::Cursor;

use alfred_ops_core::{Error, ErrorKind, Result};
use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

use super::Compression;
use super::cipher::{Cipher, NONCE_BYTES, TAG_BYTES};
use super::frame::{Codec, FRAME_RAW_MAX, FrameHeader, HEADER_BYTES, corrupt, split_frames};
use super::page::PageDigest;
use crate::Buffer;

/// A frame as it is stored, and the identity of what it holds.
#[derive(Debug)]
pub(crate) struct SealedFrame {
    pub(crate) bytes: Buffer,
    pub(crate) id: blake3::Hash,
    pub(crate) raw_bytes: u32,
}

/// How a frame is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// By the cipher's tag, which no changed bit passes; by the hash where nothing is encrypted.
    Tag,
    /// By the hash of what is in it too, which would tell of a fault before it was encrypted.
    Hash,
}

/// Turns raw data into frames of one repository and back: hashes, compresses, encrypts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sealer(Option<Secrets>);

/// What the data key is used for, apart from each other.
#[derive(Debug, Clone)]
struct Secrets {
    cipher: Cipher,
    /// Identities are keyed too: a plain hash would tell whoever knows a page whether it is stored.
    identity: IdentityKey,
}

#[derive(Clone)]
struct IdentityKey([u8; 32]);

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey")
    }
}

impl Sealer {
    /// The sealer of an encrypted repository.
    pub(crate) fn encrypted(data_key: &[u8; 32]) -> Result<Self> {
        let derive = |purpose: &str| blake3::derive_key(purpose, data_key);
        let cipher = Cipher::new(&derive("alfred-ops repository v1: encryption of frames"))?;
        let identity = IdentityKey(derive("alfred-ops repository v1: identity of content"));
        Ok(Self(Some(Secrets { cipher, identity })))
    }

    fn hash(&self, raw: &[u8]) -> blake3::Hash {
        match &self.0 {
            Some(secrets) => blake3::keyed_hash(&secrets.identity.0, raw),
            None => blake3::hash(raw),
        }
    }

    /// The short identity of a page, for comparison with the page of the same place in another backup.
    pub(crate) fn digest(&self, page: &[u8]) -> PageDigest {
        PageDigest::of(self.hash(page))
    }

    /// The frame that holds `raw` in the object of that key. Incompressible data is stored as it is.
    pub(crate) fn seal(&self, object: &str, raw: &[u8], compression: Compression) -> Result<SealedFrame> {
        let room = if self.0.is_some() { NONCE_BYTES } else { 0 };
        let start = HEADER_BYTES + room;
        let mut bytes = Buffer::with_capacity(start + zstd::zstd_safe::compress_bound(raw.len()) + TAG_BYTES);
        bytes.resize(start, 0);
        compress(raw, &mut bytes, compression)?;
        let codec = if bytes.len() - start < raw.len() { Codec::Zstd } else { Codec::Stored };
        if codec == Codec::Stored {
            bytes.truncate(start);
            bytes.extend_from_slice(raw);
        }
        let id = self.hash(raw);
        let added = if self.0.is_some() { TAG_BYTES } else { 0 };
        let payload = bytes.len() - HEADER_BYTES + added;
        let header =
            FrameHeader { codec, encrypted: self.0.is_some(), raw: raw.len(), payload, id }.write()?;
        bytes[..HEADER_BYTES].copy_from_slice(&header);
        if let Some(secrets) = &self.0 {
            secrets.cipher.seal(object, &header, &mut bytes, HEADER_BYTES)?;
        }
        let raw_bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        Ok(SealedFrame { bytes, id, raw_bytes })
    }

    /// The raw data of one whole frame of the object of that key, checked against the identity in its
    /// header and, where the caller knows it, against the one that an index names.
    pub(crate) fn open(&self, object: &str, frame: &[u8], wanted: Option<blake3::Hash>) -> Result<Bytes> {
        self.open_as(object, frame, wanted, Check::Hash)
    }

    /// As [`open`](Self::open), checked as far as `check` says.
    pub(crate) fn open_as(
        &self,
        object: &str,
        frame: &[u8],
        wanted: Option<blake3::Hash>,
        check: Check,
    ) -> Result<Bytes> {
        let header = FrameHeader::read(frame)?;
        let (authenticated, payload) = frame.split_at(HEADER_BYTES);
        if payload.len() != header.payload {
            return Err(corrupt("its payload has the wrong length"));
        }
        let mut opened;
        let data = match &self.0 {
            Some(secrets) if header.encrypted => {
                opened = Buffer::with_capacity(payload.len());
                secrets.cipher.open(object, authenticated, payload, &mut opened)?;
                &opened[..]
            }
            None if !header.encrypted => payload,
            _ => return Err(corrupt("it is not encrypted as its repository is")),
        };
        let mut raw = Buffer::with_capacity(header.raw.max(data.len().min(FRAME_RAW_MAX)));
        match header.codec {
            Codec::Stored => raw.extend_from_slice(data),
            Codec::Zstd => decompress(data, &mut raw)?,
        }
        // The tag covers the header, and that the identity.
        let trusted = check == Check::Tag && header.encrypted;
        let same = raw.len() == header.raw && (trusted || self.hash(&raw) == header.id);
        if !same || wanted.is_some_and(|wanted| wanted != header.id) {
            return Err(corrupt("its content does not match its hash"));
        }
        Ok(raw.freeze())
    }

    /// A small object that is read whole: its frames one after another.
    pub(crate) fn seal_object(&self, key: &str, raw: &[u8], compression: Compression) -> Result<Bytes> {
        let mut object = Vec::new();
        let parts = raw.chunks(FRAME_RAW_MAX).chain(raw.is_empty().then_some(raw));
        for part in parts {
            object.extend_from_slice(&self.seal(key, part, compression)?.bytes);
        }
        Ok(object.into())
    }

    /// What [`seal_object`](Self::seal_object) was given.
    pub(crate) fn open_object(&self, key: &str, object: &Bytes) -> Result<Bytes> {
        let mut frames = split_frames(object)?;
        if frames.len() == 1 {
            return self.open(key, &frames.remove(0), None);
        }
        let mut raw = Vec::new();
        for frame in frames {
            raw.extend_from_slice(&self.open(key, &frame, None)?);
        }
        Ok(raw.into())
    }
}

thread_local! {
    /// A compressor's tables take longer to make than to use.
    static COMPRESSOR: RefCell<Option<(Compression, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the compressed form of `raw`, for which there must be room.
fn compress(raw: &[u8], into: &mut Vec<u8>, compression: Compression) -> Result<()> {
    let failed = |source| Error::new(ErrorKind::Internal, "compress", "zstd failed").with_source(source);
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(of, _)| *of != compression) {
            let made = Compressor::new(compression.level()).map_err(failed)?;
            *slot = Some((compression, made));
        }
        let Some((_, compressor)) = slot else {
            return Err(Error::new(ErrorKind::Internal, "compress", "there is no compressor"));
        };
        let start = into.len() as u64;
        let mut end = Cursor::new(std::mem::take(into));
        end.set_position(start);
        let written = compressor.compress_to_buffer(raw, &mut end);
        *into = end.into_inner();
        written.map(drop).map_err(failed)
    })
}

/// Fills an empty vector with the raw form of `data`, for which there must be room.
fn decompress(data: &[u8], into: &mut Vec<u8>) -> Result<()> {
    let failed = |source| corrupt("its payload does not decompress").with_source(source);
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::new().map_err(failed)?);
        }
        let Some(decompressor) = slot else { return Err(corrupt("there is no decompressor")) };
        decompressor.decompress_to_buffer(data, into).map(drop).map_err(failed)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealers() -> Vec<Sealer> {
        let mut sealers = vec![Sealer::default()];
        sealers.extend(Sealer::encrypted(&[7; 32]));
        sealers
    }

    proptest! {
        #[test]
        fn data_round_trips(raw in prop::collection::vec(0u8..4, 0..5000), noise: bool) {
            let raw = if noise { blake3::hash(&raw).as_bytes().to_vec() } else { raw };
            for sealer in sealers() {
                let frame = sealer.seal("packs/a", &raw, Compression::default()).unwrap();
                prop_assert_eq!(&sealer.open("packs/a", &frame.bytes, Some(frame.id)).unwrap()[..], &raw[..]);
            }
        }

        #[test]
        fn every_flipped_bit_is_found(raw in prop::collection::vec(any::<u8>(), 1..300), at: prop::sample::Index) {
            for sealer in sealers() {
                let mut bytes = sealer.seal("packs/a", &raw, Compression::default()).unwrap().bytes;
                let bit = at.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(sealer.open("packs/a", &bytes, None).is_err());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            for sealer in sealers() {
                let _ = sealer.open("packs/a", &bytes, None);
                let _ = sealer.open_object("packs/a", &Bytes::from(bytes.clone()));
            }
        }
    }

    #[test]
    fn frames_in_a_row_are_told_apart() {
        let parts: [&[u8]; 3] = [b"one", b"", b"threeeeeeeeeeeeeeeeeeeee"];
        for sealer in sealers() {
            let seal = |part| sealer.seal("k", part, Compression::default()).unwrap().bytes.to_vec();
            let object = Bytes::from(parts.map(seal).concat());
            let read: Vec<Bytes> = split_frames(&object)
                .unwrap()
                .iter()
                .map(|frame| sealer.open("k", frame, None).unwrap())
                .collect();
            assert_eq!(read, parts);
            let error = split_frames(&object.slice(..object.len() - 1)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            let large = vec![3; FRAME_RAW_MAX + 1];
            let object = sealer.seal_object("k", &large, Compression::FAST).unwrap();
            assert_eq!(sealer.open_object("k", &object).unwrap(), large);
        }
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn an_encrypted_frame_opens_only_with_its_key_and_in_its_object() {
        let (sealer, other) = (Sealer::encrypted(&[7; 32]).unwrap(), Sealer::encrypted(&[8; 32]).unwrap());
        let raw = b"a row that nobody else may read, and again: a row that nobody else may read";
        let frame = sealer.seal("packs/a", raw, Compression::default()).unwrap();
        assert!(!frame.bytes.windows(5).any(|window| window == b"a row"));
        assert!(sealer.open("packs/b", &frame.bytes, None).is_err(), "it was moved");
        assert!(other.open("packs/a", &frame.bytes, None).is_err());
        assert!(Sealer::default().open("packs/a", &frame.bytes, None).is_err());
        let plain = Sealer::default().seal("packs/a", raw, Compression::default()).unwrap();
        assert!(sealer.open("packs/a", &plain.bytes, None).is_err(), "no way back to plain data");
        let again = sealer.seal("packs/a", raw, Compression::default()).unwrap();
        assert_eq!(again.id, frame.id);
        assert_ne!(again.bytes[..], frame.bytes[..], "a nonce is used once");
        assert_ne!(sealer.digest(raw), other.digest(raw));
    }
}
