//! The key that opens a repository.

use std::fmt;

use alfred_ops_core::{Entropy, Error, ErrorKind, Result, Secret};

use crate::{hex, unhex};

/// The key that opens an encrypted repository: 32 random bytes, kept outside of it.
///
/// It encrypts no data but the repository's data key (it is a *key-encryption key*), so that it can be
/// replaced without writing any data again: [`Repository::add_key`](super::Repository::add_key). Without
/// it nobody can read the repository: keep a copy where the backups of a lost site are needed.
#[derive(Clone)]
pub struct RepositoryKey(Secret);

impl RepositoryKey {
    /// A new key. `entropy` must be the system's, not a reproducible sequence.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(Secret::new(hex(&bytes)))
    }

    /// The key that these 64 hexadecimal digits spell. Space around them is ignored.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for anything else; the text is not repeated.
    pub fn from_hex(text: &Secret) -> Result<Self> {
        let trimmed = text.expose().trim();
        if bytes_of(trimmed).is_none() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "read repository key",
                format!("it is no key: it has {} characters", trimmed.chars().count()),
            )
            .with_remedy("give 64 hexadecimal digits, such as `openssl rand -hex 32` prints"));
        }
        Ok(Self(Secret::new(trimmed.to_ascii_lowercase())))
    }

    /// The key as 64 hexadecimal digits, to be kept safe.
    #[must_use]
    pub const fn to_hex(&self) -> &Secret {
        &self.0
    }

    /// A name for the key that does not tell it: 16 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = blake3::derive_key("alfred-ops repository v1: fingerprint of a key", &self.bytes());
        hex(&hash[..8])
    }

    pub(super) fn bytes(&self) -> [u8; 32] {
        // Checked when it was made.
        bytes_of(self.0.expose()).unwrap_or_default()
    }
}

impl fmt::Debug for RepositoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RepositoryKey").field(&self.fingerprint()).finish()
    }
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    unhex(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::SeededEntropy;

    use super::*;

    #[test]
    fn keys_survive_text_and_never_show() {
        let key = RepositoryKey::generate(&SeededEntropy::new(3));
        let text = format!(" {}\n", key.to_hex().expose().to_uppercase());
        let read = RepositoryKey::from_hex(&Secret::new(text)).unwrap();
        assert_eq!(read.bytes(), key.bytes());
        assert_ne!(key.bytes(), [0; 32]);
        assert!(!format!("{key:?}").contains(key.to_hex().expose()));
        assert_eq!(key.fingerprint().len(), 16);
        let error = RepositoryKey::from_hex(&Secret::new("hunter2")).unwrap_err();
        assert!(!error.full().contains("hunter2") && error.full().contains("openssl"), "{}", error.full());
    }
}
