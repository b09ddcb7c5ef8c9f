//! A secret as its users read it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret, SharedClock};
use tokio::sync::RwLock;

use super::SecretStore;

/// The active version of a secret as its users read it: kept for a time, then read anew. While the store does not
/// answer, the last value goes on being used: an old secret may still be good, none certainly is not.
pub struct ActiveSecret {
    store: Arc<dyn SecretStore>,
    secret: String,
    keep: Duration,
    clock: SharedClock,
    last: RwLock<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    version: u64,
    value: Secret,
    at: Duration,
}

impl ActiveSecret {
    /// The active version of `secret`, read anew after `keep`, which is at most the
    /// [`cache_ttl`](super::RotationPolicy::cache_ttl) of its rotation. Nothing is read before a call.
    #[must_use]
    pub fn new(
        store: Arc<dyn SecretStore>,
        secret: impl Into<String>,
        keep: Duration,
        clock: SharedClock,
    ) -> Self {
        Self { store, secret: secret.into(), keep, clock, last: RwLock::new(None) }
    }

    /// The number and the value of the version to be used now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no active version, else the store's, if it never answered.
    pub async fn get(&self) -> Result<(u64, Secret)> {
        let now = self.clock.monotonic();
        if let Some(kept) = &*self.last.read().await
            && now.saturating_sub(kept.at) < self.keep
        {
            return Ok((kept.version, kept.value.clone()));
        }
        let mut last = self.last.write().await;
        if last.as_ref().is_none_or(|kept| now.saturating_sub(kept.at) >= self.keep) {
            match (self.read(now).await, &*last) {
                (Ok(kept), _) => *last = Some(kept),
                (Err(error), Some(_)) => {
                    tracing::warn!(error = %error.full(), secret = self.secret, "the last value is used on");
                }
                (Err(error), None) => return Err(error),
            }
        }
        match &*last {
            Some(kept) => Ok((kept.version, kept.value.clone())),
            None => Err(self.absent()),
        }
    }

    async fn read(&self, now: Duration) -> Result<Kept> {
        let view = self.store.look(&self.secret).await?;
        let version = view.active.ok_or_else(|| self.absent())?;
        let value = self.store.read(&self.secret, version).await?;
        Ok(Kept { version, value, at: now })
    }

    fn absent(&self) -> Error {
        Error::new(ErrorKind::NotFound, "read secret", "it has no active version").with_target(format!(
            "{}/{}",
            self.store.name(),
            self.secret
        ))
    }
}

impl fmt::Debug for ActiveSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveSecret").field("secret", &self.secret).finish_non_exhaustive()
    }
}
