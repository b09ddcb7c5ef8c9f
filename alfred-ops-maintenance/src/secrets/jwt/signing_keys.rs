//! Signs tokens and publishes keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret, SharedClock};
use async_trait::async_trait;
use serde::Serialize;

use super::signing_key::SigningKey;
use super::{JwksDocument, JwksSource};
use crate::secrets::refreshed::{Reading, Refreshed};
use crate::{Phase, RotationBook, RotationPolicy, SecretStore};

/// The time that the policy allows to caches is shared: a quarter for ours, a half for those of the document's readers;
/// the rest is for the way between.
const OURS: u32 = 4;
const READERS: u32 = 2;

/// Signs tokens by the active key, and publishes all keys whose tokens are good: those that will be used, the one that
/// is, and those that were.
///
/// Every replica of a host has one; they follow the record of the rotation, which one of them does. While neither store
/// answers, the keys that were read last go on being used. A key that cannot be read is left out, and told of, unless it is
/// the active one.
pub struct SigningKeys {
    secret: String,
    store: Arc<dyn SecretStore>,
    book: RotationBook,
    keep: Duration,
    max_age: Duration,
    ring: Refreshed<Ring>,
}

struct Ring {
    signer: SigningKey,
    document: JwksDocument,
}

impl SigningKeys {
    /// The keys of `secret` in `store`, whose rotation is recorded in `book` and follows `policy`. Nothing is read before
    /// a call.
    #[must_use]
    pub fn new(
        secret: impl Into<String>,
        store: Arc<dyn SecretStore>,
        book: RotationBook,
        policy: &RotationPolicy,
        clock: SharedClock,
    ) -> Self {
        Self {
            secret: secret.into(),
            store,
            book,
            keep: policy.cache_ttl / OURS,
            max_age: policy.cache_ttl / READERS,
            ring: Refreshed::new(clock),
        }
    }

    /// A token with these claims, signed by the active key. It must expire within the
    /// [`token_ttl`](RotationPolicy::token_ttl) of the policy: later its key may be gone.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no key is active yet, [`ErrorKind::InvalidInput`] for claims that are not a JSON object,
    /// else the stores', if they never answered.
    pub async fn sign<T: Serialize + Sync>(&self, claims: &T) -> Result<Secret> {
        let ring = self.ring().await?;
        ring.signer.sign(claims).map(Secret::new)
    }

    /// What is published: answer with it where verifiers look.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub async fn jwks(&self) -> Result<JwksDocument> {
        Ok(self.ring().await?.document.clone())
    }

    async fn ring(&self) -> Result<Arc<Ring>> {
        self.ring.get(self.read()).await
    }

    async fn read(&self) -> Result<Reading<Ring>> {
        let record = self.book.record().await?;
        let mut signer = None;
        let mut keys = Vec::new();
        for generation in &record.generations {
            let Some(version) = generation.version else { continue };
            if !matches!(generation.phase, Phase::Published | Phase::Active | Phase::Retiring) {
                continue;
            }
            let is_active = generation.phase == Phase::Active;
            let value = self.store.read(&self.secret, version).await;
            let key = match value.and_then(|value| SigningKey::read(&value)) {
                Ok(key) => key,
                // Disabled or destroyed, or no key: without it the others are as good as they were.
                Err(error)
                    if !is_active && matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound) =>
                {
                    let (secret, error) = (&self.secret, error.full());
                    tracing::warn!(error, secret, version, "a key cannot be read and is not published");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if is_active {
                signer = Some(key.clone());
            }
            keys.push(key);
        }
        let signer = signer.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "read signing keys", "no key is active yet")
                .with_target(self.secret.clone())
                .with_remedy("let a SecretCare of the kind JwtKeys run once")
        })?;
        let document = JwksDocument { max_age: self.max_age, ..JwksDocument::of(&keys)? };
        Ok(Reading { value: Ring { signer, document }, fresh_for: self.keep, good_for: Duration::MAX })
    }
}

#[async_trait]
impl JwksSource for SigningKeys {
    async fn fetch(&self) -> Result<JwksDocument> {
        self.jwks().await
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("secret", &self.secret).finish_non_exhaustive()
    }
}
