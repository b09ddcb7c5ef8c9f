//! Authenticated encryption of what is stored, behind the feature `encryption`.

#[cfg(not(feature = "encryption"))]
mod disabled;
#[cfg(feature = "encryption")]
mod enabled;

#[cfg(not(feature = "encryption"))]
pub(super) use disabled::Cipher;
#[cfg(feature = "encryption")]
pub(super) use enabled::Cipher;

/// Bytes before the ciphertext: a random number that is used once.
pub(super) const NONCE_BYTES: usize = 12;
/// Bytes after it: the authentication tag.
pub(super) const TAG_BYTES: usize = 16;
