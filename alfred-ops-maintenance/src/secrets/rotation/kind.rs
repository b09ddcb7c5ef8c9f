//! The contract of a kind of secret.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::{Result, Secret};
use async_trait::async_trait;

/// A value that was made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MadeSecret {
    /// What names it to those who lock or revoke it: a login, the id of a key. It is kept in the state store and shown.
    pub handle: String,
    /// What its users read.
    pub value: Secret,
}

impl MadeSecret {
    /// A value, and what names it.
    #[must_use]
    pub fn new(handle: impl Into<String>, value: Secret) -> Self {
        Self { handle: handle.into(), value }
    }
}

/// A kind of secret: how it is made, made valid, verified and revoked. Its care decides when.
///
/// All methods are called by one host at a time, and again after a crash at any point: each must leave the same when it
/// is called twice. No error shows a value.
#[async_trait]
pub trait SecretKind: fmt::Debug + Send + Sync + 'static {
    /// Makes a value under an id, which is unique to this attempt. `in_use` is the handle of the active one, if it has one:
    /// the new one's must be another, for whatever is done to a handle is done to all who use it.
    ///
    /// # Errors
    /// What kept it from making one. It counts as begun: [`abandon`](Self::abandon) follows.
    async fn make(&self, id: &str, in_use: Option<&str>) -> Result<MadeSecret>;

    /// Withdraws whatever was made under an id, whose value nobody has: nothing may be there.
    ///
    /// # Errors
    /// It may still be valid somewhere.
    async fn abandon(&self, id: &str) -> Result<()>;

    /// The handle of a value that was in use before anybody cared for it.
    ///
    /// # Errors
    /// [`Unsupported`](alfred_ops_core::ErrorKind::Unsupported) if it is not of this kind.
    async fn identify(&self, value: &Secret) -> Result<String>;

    /// Makes it valid, beside the one in use. After `Ok` it works as soon as all caches know it.
    ///
    /// # Errors
    /// It may be valid or not.
    async fn publish(&self, handle: &str, value: &Secret) -> Result<()>;

    /// Uses it for something harmless.
    ///
    /// # Errors
    /// It does not work, or nobody can tell.
    async fn verify(&self, handle: &str, value: &Secret) -> Result<()>;

    /// How many use it now, as far as anybody can tell: sessions. Zero if nobody can.
    ///
    /// # Errors
    /// Nobody answers.
    async fn users(&self, handle: &str) -> Result<u64>;

    /// Locks it in a way that could be undone, if its kind has one.
    ///
    /// # Errors
    /// It may be locked or not; [`Conflict`](alfred_ops_core::ErrorKind::Conflict) if somebody has begun to use it.
    async fn lock(&self, handle: &str) -> Result<()>;

    /// Revokes it for good. Nothing may be there.
    ///
    /// # Errors
    /// It may still be valid.
    async fn revoke(&self, handle: &str) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<K: SecretKind + ?Sized> SecretKind for Arc<K> {
    async fn make(&self, id: &str, in_use: Option<&str>) -> Result<MadeSecret> {
        (**self).make(id, in_use).await
    }

    async fn abandon(&self, id: &str) -> Result<()> {
        (**self).abandon(id).await
    }

    async fn identify(&self, value: &Secret) -> Result<String> {
        (**self).identify(value).await
    }

    async fn publish(&self, handle: &str, value: &Secret) -> Result<()> {
        (**self).publish(handle, value).await
    }

    async fn verify(&self, handle: &str, value: &Secret) -> Result<()> {
        (**self).verify(handle, value).await
    }

    async fn users(&self, handle: &str) -> Result<u64> {
        (**self).users(handle).await
    }

    async fn lock(&self, handle: &str) -> Result<()> {
        (**self).lock(handle).await
    }

    async fn revoke(&self, handle: &str) -> Result<()> {
        (**self).revoke(handle).await
    }
}
