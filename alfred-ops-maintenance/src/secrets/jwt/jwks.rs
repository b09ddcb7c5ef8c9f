//! The public halves of keys, as they are published.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use jsonwebtoken::jwk::JwkSet;

use super::signing_key::SigningKey;

/// A JWK set (RFC 7517) as it is published, under `/.well-known/jwks.json` by custom. A host answers with the body and
/// the two headers; nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwksDocument {
    /// The JSON.
    pub body: Arc<str>,
    /// For so long it may be kept.
    pub max_age: Duration,
}

impl JwksDocument {
    /// The header `content-type`.
    pub const CONTENT_TYPE: &'static str = "application/jwk-set+json";

    /// A document as somebody answered it.
    #[must_use]
    pub fn new(body: impl Into<Arc<str>>, max_age: Duration) -> Self {
        Self { body: body.into(), max_age }
    }

    /// The header `cache-control`.
    #[must_use]
    pub fn cache_control(&self) -> String {
        format!("public, max-age={}", self.max_age.as_secs())
    }

    pub(super) fn of(keys: &[SigningKey]) -> Result<Self> {
        let set = JwkSet { keys: keys.iter().map(|key| key.public.clone()).collect() };
        let body = serde_json::to_string(&set).map_err(|source| {
            Error::new(ErrorKind::Internal, "publish keys", "they are not JSON").with_source(source)
        })?;
        Ok(Self::new(body, Duration::ZERO))
    }
}

/// Where a [`Verifier`](super::Verifier) gets keys: [`SigningKeys`](super::SigningKeys) in the same process,
/// or `JwksEndpoint` (feature `jwks-http`) for what another process publishes.
#[async_trait]
pub trait JwksSource: fmt::Debug + Send + Sync + 'static {
    /// The document as it is now. Dropping the future has no effect.
    ///
    /// # Errors
    /// Nobody answers, or not with such a document.
    async fn fetch(&self) -> Result<JwksDocument>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: JwksSource + ?Sized> JwksSource for Arc<S> {
    async fn fetch(&self) -> Result<JwksDocument> {
        (**self).fetch().await
    }
}
