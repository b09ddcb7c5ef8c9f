//! The data key of a repository, wrapped for each key that may open it.

use std::fmt;

use alfred_ops_core::{Entropy, Error, ErrorKind, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::cipher::{Cipher, NONCE_BYTES};
use super::{Layout, RepositoryKey};
use crate::{BlobStore, hex, unhex};

/// What a wrapped key is authenticated as, so that it opens as nothing else.
const PURPOSE: &[u8] = b"alfred-ops repository v1: wrapped data key";
/// Listings are read up to here: nobody has more keys.
const KEYS_MAX: usize = 1000;

/// The key that encrypts a repository's data. It never leaves the process unwrapped.
#[derive(Clone)]
pub(super) struct DataKey([u8; 32]);

/// The content of an object below `keys/`.
#[derive(Debug, Serialize, Deserialize)]
struct WrappedKey {
    /// Nonce, ciphertext and tag, in hexadecimal.
    wrapped: String,
}

impl DataKey {
    pub(super) fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn fingerprint(&self) -> String {
        hex(&blake3::derive_key("alfred-ops repository v1: fingerprint of a data key", &self.0)[..16])
    }

    fn wrap(&self, key: &RepositoryKey) -> Result<Bytes> {
        let mut wrapped = vec![0; NONCE_BYTES];
        wrapped.extend_from_slice(&self.0);
        let object = Layout::key(&key.fingerprint());
        Cipher::new(&key.bytes())?.seal(&object, PURPOSE, &mut wrapped, 0)?;
        super::catalog::to_json(&WrappedKey { wrapped: hex(&wrapped) })
    }

    pub(super) fn unwrap(json: &[u8], key: &RepositoryKey) -> Result<Self> {
        let broken =
            || Error::new(ErrorKind::Corrupt, "open repository key", "it is not what alfred-ops writes");
        let wrapped: WrappedKey =
            serde_json::from_slice(json).map_err(|source| broken().with_source(source))?;
        let object = Layout::key(&key.fingerprint());
        let bytes = unhex(&wrapped.wrapped).ok_or_else(broken)?;
        let mut opened = Vec::new();
        Cipher::new(&key.bytes())?.open(&object, PURPOSE, &bytes, &mut opened)?;
        opened.try_into().map(Self).map_err(|_| broken())
    }

    /// Stores this data key for `key`, or finds the one that is stored for it already.
    pub(super) async fn store(self, key: &RepositoryKey, store: &dyn BlobStore) -> Result<Self> {
        match store.create(&Layout::key(&key.fingerprint()), self.wrap(key)?).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::load(key, store).await,
            stored => stored.map(|()| self),
        }
    }

    /// The data key that is stored for `key`.
    pub(super) async fn load(key: &RepositoryKey, store: &dyn BlobStore) -> Result<Self> {
        let object = Layout::key(&key.fingerprint());
        let json = match store.get(&object).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let known = Self::known(store).await?.join(", ");
                return Err(Error::new(
                    ErrorKind::PermissionDenied,
                    "open repository",
                    format!("the key {} does not open it", key.fingerprint()),
                )
                .with_target(store.location())
                .with_remedy(format!("give the key with one of these fingerprints: {known}")));
            }
            json => json?,
        };
        Self::unwrap(&json, key).map_err(|error| error.with_target(format!("{}/{object}", store.location())))
    }

    /// The fingerprints of all keys that open the repository.
    pub(super) async fn known(store: &dyn BlobStore) -> Result<Vec<String>> {
        let keys = store.list(Layout::KEYS, "", KEYS_MAX).await?;
        Ok(keys.iter().filter_map(|blob| blob.key.strip_prefix(Layout::KEYS)).map(str::to_owned).collect())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DataKey").field(&self.fingerprint()).finish()
    }
}
