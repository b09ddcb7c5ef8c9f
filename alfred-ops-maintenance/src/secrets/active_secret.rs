//! A secret as its users read it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret, SharedClock};

use super::SecretStore;
use super::refreshed::{Reading, Refreshed};

/// The active version of a secret as its users read it: kept for a time, then read anew by one of the callers. While the
/// store does not answer, the last value goes on being used, and the store is asked every ten seconds at most: an old secret
/// may still be good, none certainly is not.
pub struct ActiveSecret {
    store: Arc<dyn SecretStore>,
    secret: String,
    keep: Duration,
    last: Refreshed<(u64, Secret)>,
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
        Self { store, secret: secret.into(), keep, last: Refreshed::new(clock) }
    }

    /// The number and the value of the version to be used now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no active version, else the store's, if it never answered.
    pub async fn get(&self) -> Result<(u64, Secret)> {
        Ok((*self.last.get(self.read()).await?).clone())
    }

    async fn read(&self) -> Result<Reading<(u64, Secret)>> {
        let view = self.store.look(&self.secret).await?;
        let version = view.active.ok_or_else(|| self.absent())?;
        let value = self.store.read(&self.secret, version).await?;
        Ok(Reading { value: (version, value), fresh_for: self.keep, good_for: Duration::MAX })
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
