//! The contract of leases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Grant;
use crate::Result;

/// Where leases are kept. A lease has at most one owner, and its epoch grows with every change of owner.
///
/// All methods may be called from several tasks and processes at once. None waits for a lease to become free.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait LeaseStore: fmt::Debug + Send + Sync + 'static {
    /// Takes the lease `name` for `ttl` if it is free, expired, or `holder`'s own from an earlier call (whose
    /// grant then ends); `None` if another holds it.
    ///
    /// `holder` must be unique to one run of one process. After an error or a dropped future the lease may
    /// have been taken: it then expires by itself, or the same holder's next call takes it anew.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a bad name or too short a term, else the store's.
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Grant>>;

    /// Extends the lease by its term from now, at the same epoch. Nobody else took it meanwhile, even if it
    /// had run out. After an error other than `Fenced`, or a dropped future, the lease may have been extended;
    /// the old grant stays good until its trust ends, and the call may be repeated.
    ///
    /// # Errors
    /// [`Fenced`](crate::ErrorKind::Fenced) if it was released or has another owner: stop at once. Else the
    /// store's.
    async fn renew(&self, grant: &Grant) -> Result<Grant>;

    /// Frees the lease for others at once. May be repeated; does nothing if it has another owner already.
    /// After an error or a dropped future it may have been freed, and else expires by itself.
    ///
    /// # Errors
    /// The store's.
    async fn release(&self, grant: &Grant) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: LeaseStore + ?Sized> LeaseStore for Arc<S> {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Grant>> {
        (**self).acquire(name, holder, ttl).await
    }

    async fn renew(&self, grant: &Grant) -> Result<Grant> {
        (**self).renew(grant).await
    }

    async fn release(&self, grant: &Grant) -> Result<()> {
        (**self).release(grant).await
    }
}
