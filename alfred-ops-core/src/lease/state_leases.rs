//! Leases over any state store.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::fence::document_key;
use super::{Grant, LeaseStore};
use crate::{Document, Error, ErrorKind, Result, SharedClock, StateStore, Write};

/// Below this a slow network round would eat the whole term.
const TTL_MIN: Duration = Duration::from_millis(100);
/// Above this a dead owner would block its successors for too long.
const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Leases kept as documents of a [`StateStore`], one each.
///
/// Expiry is judged by the store's clock alone, so that the clocks of the competing machines do not matter;
/// the holder's own trust runs on its monotonic clock from before the store was asked, and so ends first.
/// Writes to the same store that carry [`Grant::fence`] are refused once there is a newer owner.
#[derive(Debug, Clone)]
pub struct StateLeases<S> {
    store: S,
    clock: SharedClock,
}

/// A lease's document. It stays after a release: the epoch must never start again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lease {
    epoch: u64,
    /// None once released.
    holder: Option<String>,
    /// On the store's clock.
    expires_at: DateTime<Utc>,
}

impl<S: StateStore> StateLeases<S> {
    /// Leases in `store`. Only the monotonic side of `clock` is used.
    #[must_use]
    pub fn new(store: S, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    async fn write(&self, before: &Document, lease: &Lease) -> Result<()> {
        let write = Write::replace(before.key.clone(), to_value(lease)?, before.version);
        self.store.put(&write).await.map(|_| ())
    }

    /// The document, made on first use: a document that nobody holds gives the store's clock to the first
    /// acquisition as well.
    async fn load(&self, name: &str) -> Result<(Document, Lease)> {
        let key = document_key(name);
        for _ in 0..2 {
            if let Some(document) = self.store.get(&key).await? {
                let lease = document.parse()?;
                return Ok((document, lease));
            }
            let fresh = Lease { epoch: 0, holder: None, expires_at: DateTime::UNIX_EPOCH };
            match self.store.put(&Write::create(key.clone(), to_value(&fresh)?)).await {
                Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
                // Made by us or by another: read it.
                _ => {}
            }
        }
        Err(Error::new(ErrorKind::Corrupt, "read lease", "its document vanished").with_target(key))
    }
}

/// Whether `holder` may take the lease, by the store's clock.
fn may_take(lease: &Lease, holder: &str, now: DateTime<Utc>) -> bool {
    match &lease.holder {
        None => true,
        Some(present) => present == holder || lease.expires_at <= now,
    }
}

fn is_held(lease: &Lease, grant: &Grant) -> bool {
    lease.epoch == grant.epoch && lease.holder.as_deref() == Some(&grant.holder)
}

fn expiry(read_at: DateTime<Utc>, ttl: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(ttl)
        .ok()
        .and_then(|ttl| read_at.checked_add_signed(ttl))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn check(name: &str, holder: &str, ttl: Duration) -> Result<()> {
    let fault = if name.is_empty() || holder.is_empty() {
        format!("lease {name:?} for holder {holder:?}: neither may be empty")
    } else if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
        format!("a term of {ttl:?} is not between {TTL_MIN:?} and {TTL_MAX:?}")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, "acquire lease", fault).with_target(name))
}

fn to_value(lease: &Lease) -> Result<serde_json::Value> {
    serde_json::to_value(lease).map_err(|source| {
        Error::new(ErrorKind::Internal, "write lease", "it is not JSON").with_source(source)
    })
}

#[async_trait]
impl<S: StateStore> LeaseStore for StateLeases<S> {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Grant>> {
        check(name, holder, ttl)?;
        let asked_at = self.clock.monotonic();
        let (document, lease) = self.load(name).await?;
        if !may_take(&lease, holder, document.read_at) {
            return Ok(None);
        }
        let taken = Lease {
            epoch: lease.epoch + 1,
            holder: Some(holder.to_owned()),
            expires_at: expiry(document.read_at, ttl),
        };
        match self.write(&document, &taken).await {
            Ok(()) => Ok(Some(Grant::new(name, holder, taken.epoch, ttl, asked_at))),
            // Another was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn renew(&self, grant: &Grant) -> Result<Grant> {
        let asked_at = self.clock.monotonic();
        let (document, lease) = self.load(&grant.name).await?;
        let lost = || {
            let fault = format!("epoch {} is over", grant.epoch);
            Error::new(ErrorKind::Fenced, "renew lease", fault).with_target(grant.name.clone())
        };
        if !is_held(&lease, grant) {
            return Err(lost());
        }
        let longer = Lease { expires_at: expiry(document.read_at, grant.ttl), ..lease };
        match self.write(&document, &longer).await {
            Ok(()) => {
                Ok(Grant::new(grant.name.clone(), grant.holder.clone(), grant.epoch, grant.ttl, asked_at))
            }
            // Only a change of owner, or our own other renewal, writes this document: look again.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let (_, now) = self.load(&grant.name).await?;
                Err(if is_held(&now, grant) {
                    Error::new(ErrorKind::Unavailable, "renew lease", "renewed twice at once")
                        .with_target(grant.name.clone())
                } else {
                    lost()
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn release(&self, grant: &Grant) -> Result<()> {
        let (document, lease) = self.load(&grant.name).await?;
        if !is_held(&lease, grant) {
            return Ok(());
        }
        let freed = Lease { holder: None, ..lease };
        match self.write(&document, &freed).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                warn!(lease = grant.name, "the lease changed while it was released; it expires by itself");
                Ok(())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::conformance;
    use crate::{Clock as _, MemoryStateStore, SimulatedClock};

    #[tokio::test]
    async fn they_conform_over_memory() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let leases = StateLeases::new(MemoryStateStore::new(clock.shared()), clock.shared());
        let pass = || {
            let clock = clock.clone();
            async move { clock.advance(Duration::from_secs(1)) }
        };
        conformance::lease_store(&leases, pass).await;
        conformance::lease_store(&std::sync::Arc::new(leases.clone()), pass).await;
    }

    #[tokio::test]
    async fn trust_ends_before_another_may_take_over_whatever_the_wall_clocks_say() {
        let store_clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let far_ahead = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(365));
        let store = MemoryStateStore::new(store_clock.shared());
        let ours = StateLeases::new(store.clone(), store_clock.shared());
        let theirs = StateLeases::new(store, far_ahead.shared());
        let ttl = Duration::from_secs(8);
        let grant = ours.acquire("ops", "a", ttl).await.unwrap().unwrap();
        assert_eq!(theirs.acquire("ops", "b", ttl).await.unwrap(), None);
        store_clock.advance(Duration::from_secs(6));
        assert_eq!(grant.trust_left(store_clock.monotonic()), Duration::ZERO);
        assert_eq!(theirs.acquire("ops", "b", ttl).await.unwrap(), None, "the margin protects the old owner");
        store_clock.advance(Duration::from_secs(2));
        let next = theirs.acquire("ops", "b", ttl).await.unwrap().unwrap();
        assert!(next.epoch > grant.epoch);
        assert_eq!(ours.renew(&grant).await.unwrap_err().kind(), ErrorKind::Fenced);
    }
}
