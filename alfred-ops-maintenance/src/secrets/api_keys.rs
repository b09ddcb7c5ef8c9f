//! Keys that somebody else issues.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use async_trait::async_trait;

use super::{MadeSecret, SecretKind};

/// A key as its issuer gave it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedKey {
    /// What names it to the issuer. Not secret.
    pub id: String,
    /// The key.
    pub value: Secret,
}

impl IssuedKey {
    /// A key, and what names it.
    #[must_use]
    pub fn new(id: impl Into<String>, value: Secret) -> Self {
        Self { id: id.into(), value }
    }
}

/// Somebody who issues API keys: the host speaks to him. At least two keys must be valid at the same time.
///
/// Each method must leave the same when it is called twice. No error shows a key.
#[async_trait]
pub trait ApiKeyIssuer: fmt::Debug + Send + Sync + 'static {
    /// Issues a key under a label, which is unique to this attempt: the issuer keeps it, as a name or a description.
    ///
    /// # Errors
    /// A key may have been issued; [`withdraw`](Self::withdraw) follows.
    async fn issue(&self, label: &str) -> Result<IssuedKey>;

    /// Revokes whatever was issued under a label and got lost on the way. Nothing may be there.
    ///
    /// # Errors
    /// It may still be valid.
    async fn withdraw(&self, label: &str) -> Result<()>;

    /// The id of a key that was in use before.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) if the issuer does not tell: then the care begins without it.
    async fn identify(&self, value: &Secret) -> Result<String>;

    /// Uses a key for something harmless.
    ///
    /// # Errors
    /// It does not work, or nobody can tell.
    async fn verify(&self, value: &Secret) -> Result<()>;

    /// Revokes a key. It may be revoked already.
    ///
    /// # Errors
    /// It may still be valid.
    async fn revoke(&self, id: &str) -> Result<()>;
}

/// API keys as a kind of secret: issued, verified, and revoked when nobody has missed them.
#[derive(Clone)]
pub struct ApiKeys {
    issuer: Arc<dyn ApiKeyIssuer>,
}

impl ApiKeys {
    /// Keys of this issuer.
    #[must_use]
    pub fn new(issuer: Arc<dyn ApiKeyIssuer>) -> Self {
        Self { issuer }
    }
}

/// What the host's issuer shows of itself is not ours to trust.
impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}

#[async_trait]
impl SecretKind for ApiKeys {
    async fn make(&self, id: &str, _: Option<&str>) -> Result<MadeSecret> {
        let key = self.issuer.issue(id).await?;
        if key.id == key.value.expose() || key.id.is_empty() {
            return Err(Error::new(ErrorKind::Internal, "issue key", "its id is empty, or the key itself")
                .with_remedy("let the issuer name keys by something that is not secret"));
        }
        Ok(MadeSecret::new(key.id, key.value))
    }

    async fn abandon(&self, id: &str) -> Result<()> {
        self.issuer.withdraw(id).await
    }

    async fn identify(&self, value: &Secret) -> Result<String> {
        self.issuer.identify(value).await
    }

    /// An issued key is valid from the start.
    async fn publish(&self, _: &str, _: &Secret) -> Result<()> {
        Ok(())
    }

    async fn verify(&self, _: &str, value: &Secret) -> Result<()> {
        self.issuer.verify(value).await
    }

    /// Nobody can tell.
    async fn users(&self, _: &str) -> Result<u64> {
        Ok(0)
    }

    /// What is disabled in the secret store is locked as far as it can be.
    async fn lock(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn revoke(&self, handle: &str) -> Result<()> {
        self.issuer.revoke(handle).await
    }
}
