//! Signing keys as a kind of secret.

use alfred_ops_core::{Error, ErrorKind, Result, Secret, blocking};
use async_trait::async_trait;
use serde_json::json;

use super::key_set::KeySet;
use super::signing_key::SigningKey;
use super::{JwksDocument, KeyAlgorithm};
use crate::{MadeSecret, SecretKind};

/// Keys that sign tokens, as a kind of secret. They are published by [`SigningKeys`](super::SigningKeys), which follows
/// the record.
#[derive(Debug, Clone, Copy)]
pub struct JwtKeys {
    algorithm: KeyAlgorithm,
}

impl JwtKeys {
    /// Keys of this algorithm. Those of another that are in use stay until their time.
    ///
    /// Verifiers must take it, too: [`TokenRules`](super::TokenRules) do not take RS256 unless told so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for one that is only verified, of which there is none today.
    pub fn new(algorithm: KeyAlgorithm) -> Result<Self> {
        Ok(Self { algorithm })
    }
}

#[async_trait]
impl SecretKind for JwtKeys {
    async fn make(&self, _: &str, _: Option<&str>) -> Result<MadeSecret> {
        // The primes of RSA may take a second.
        let algorithm = self.algorithm;
        let value = blocking(move || SigningKey::make(algorithm)).await??;
        Ok(MadeSecret::new(SigningKey::read(&value)?.id, value))
    }

    /// A key that nobody published means nothing to anybody.
    async fn abandon(&self, _: &str) -> Result<()> {
        Ok(())
    }

    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is no key: nothing could be signed by it, so it is not taken into care.
    async fn identify(&self, value: &Secret) -> Result<String> {
        // Not `Unsupported`, for then it would be taken without a name.
        let key = SigningKey::read(value).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "take signing key into care", "the active version is no such key")
                .with_remedy(
                    "add the key as PKCS#8 in PEM and make that version the active one, or give a secret of another name",
                )
                .with_source(source)
        })?;
        Ok(key.id)
    }

    /// It is published by the phase that follows.
    async fn publish(&self, _: &str, _: &Secret) -> Result<()> {
        Ok(())
    }

    /// Signs something, and verifies that by what will be published.
    async fn verify(&self, handle: &str, value: &Secret) -> Result<()> {
        let key = SigningKey::read(value)?;
        if key.id != handle {
            return Err(Error::new(ErrorKind::Corrupt, "verify signing key", "it is another key")
                .with_target(handle.to_owned()));
        }
        let token = key.sign(&json!({ "purpose": "verification of a signing key" }))?;
        let keys = KeySet::read(&JwksDocument::of(&[key])?)?;
        keys.check(&token, &[KeyAlgorithm::Ed25519, KeyAlgorithm::Es256, KeyAlgorithm::Rs256]).map(|_| ())
    }

    /// Tokens expire by themselves.
    async fn users(&self, _: &str) -> Result<u64> {
        Ok(0)
    }

    async fn lock(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn revoke(&self, _: &str) -> Result<()> {
        Ok(())
    }
}
