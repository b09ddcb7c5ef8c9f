//! AES-256-GCM (NIST SP 800-38D) through aws-lc-rs.

use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

use super::{NONCE_BYTES, TAG_BYTES};

/// Encrypts and authenticates, with a key of its own for each object: a payload that was moved to another
/// object does not open there.
#[derive(Clone)]
pub(in crate::repository) struct Cipher([u8; 32]);

impl Cipher {
    /// The cipher of a repository whose data key this is.
    pub(in crate::repository) fn new(data_key: &[u8; 32]) -> Result<Self> {
        Ok(Self(*data_key))
    }

    fn key_of(&self, object: &str) -> Result<RandomizedNonceKey> {
        let key = blake3::keyed_hash(&self.0, object.as_bytes());
        RandomizedNonceKey::new(&AES_256_GCM, key.as_bytes())
            .map_err(|_| Error::new(ErrorKind::Internal, "encrypt", "the cipher refuses its key"))
    }

    /// Encrypts what follows the room for the nonce at `start`, fills in the nonce and appends the tag.
    pub(in crate::repository) fn seal(
        &self,
        object: &str,
        authenticated: &[u8],
        buffer: &mut Vec<u8>,
        start: usize,
    ) -> Result<()> {
        let refused = |_| Error::new(ErrorKind::Internal, "encrypt", "the cipher refuses the data");
        let data = buffer.get_mut(start + NONCE_BYTES..).unwrap_or_default();
        let (nonce, tag) = self
            .key_of(object)?
            .seal_in_place_separate_tag(Aad::from(authenticated), data)
            .map_err(refused)?;
        if let Some(room) = buffer.get_mut(start..start + NONCE_BYTES) {
            room.copy_from_slice(nonce.as_ref());
        }
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Appends the plaintext of a payload to `into`, or fails if the payload, the object's name or what is
    /// authenticated beside it differ in a single bit.
    pub(in crate::repository) fn open(
        &self,
        object: &str,
        authenticated: &[u8],
        payload: &[u8],
        into: &mut Vec<u8>,
    ) -> Result<()> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "decrypt", "it is not what was encrypted");
        let (nonce, sealed) = payload.split_first_chunk::<NONCE_BYTES>().ok_or_else(corrupt)?;
        let start = into.len();
        let length = sealed.len().checked_sub(TAG_BYTES).ok_or_else(corrupt)?;
        into.extend_from_slice(sealed);
        self.key_of(object)?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(authenticated),
                into.get_mut(start..).unwrap_or_default(),
            )
            .map_err(|_| corrupt())?;
        into.truncate(start + length);
        Ok(())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(AES-256-GCM)")
    }
}
