//! What a host calls that may die.

use async_trait::async_trait;

use super::Fuse;
use crate::{Document, Expected, Fence, Result, StateStore, Write};

/// A store, or whatever else a host calls, as a host sees it that dies where its [`Fuse`] says. What it wraps outlives
/// the host.
///
/// Every call of a trait that it implements burns the fuse, reads too. Crates implement their traits for it by
/// [`fuse`](Self::fuse) and [`inner`](Self::inner).
#[derive(Debug, Clone)]
pub struct Mortal<T> {
    inner: T,
    fuse: Fuse,
}

impl<T> Mortal<T> {
    /// What a host calls whose other calls burn the same fuse.
    #[must_use]
    pub fn new(inner: T, fuse: &Fuse) -> Self {
        Self { inner, fuse: fuse.clone() }
    }

    /// What outlives the host: calls of it burn nothing.
    #[must_use]
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// Where calls go through: [`Fuse::call`].
    #[must_use]
    pub const fn fuse(&self) -> &Fuse {
        &self.fuse
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StateStore> StateStore for Mortal<S> {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        self.fuse.call(self.inner.get(key)).await
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        self.fuse.call(self.inner.put(write)).await
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        self.fuse.call(self.inner.delete(key, expected, fence)).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        self.fuse.call(self.inner.list(prefix, after, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::MemoryStateStore;
    use crate::testing::Fate;

    #[tokio::test]
    async fn a_mortal_store_is_a_store() {
        let clock = crate::SimulatedClock::starting_at(chrono::DateTime::UNIX_EPOCH);
        crate::testing::conformance::state_store(&Mortal::new(
            MemoryStateStore::new(clock.shared()),
            &Fuse::default(),
        ))
        .await;
    }

    #[tokio::test]
    async fn every_call_of_a_store_burns_the_fuse() {
        let (store, fuse) = (MemoryStateStore::default(), Fuse::default());
        let mortal = Mortal::new(store.clone(), &fuse);
        let version = store.put(&Write::create("a", json!(1))).await.unwrap();
        fuse.light(4, Fate::DiesAfter);
        assert_eq!(mortal.get("a").await.unwrap().unwrap().value, json!(1));
        let version = mortal.put(&Write::replace("a", json!(2), version)).await.unwrap();
        assert_eq!(mortal.list("", "", 9).await.unwrap().len(), 1);
        mortal.delete("a", Expected::Version(version), None).await.unwrap();
        assert!(mortal.put(&Write::create("a", json!(3))).await.is_err());
        assert_eq!(mortal.inner().get("a").await.unwrap().unwrap().value, json!(3));
    }
}
