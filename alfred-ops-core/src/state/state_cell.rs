//! One document of a store, as the type that it holds.

use std::marker::PhantomData;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Document, Expected, StateStore, Write};
use crate::{Error, ErrorKind, Fence, Result};

/// How often a change is decided again. Each time somebody else has written, so a fleet of many writers gets by with it.
const ATTEMPTS_MAX: u32 = 50;

/// One document of a store that holds a `T`, and changes by compare-and-set.
///
/// Nothing is read or written before a call. Clones are the same document.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use alfred_ops_core::{MemoryStateStore, StateCell};
///
/// let visits = StateCell::<u64>::new(Arc::new(MemoryStateStore::default()), "visits");
/// for number in 1..=3 {
///     let counted = visits
///         .change("count visit", None, |found| {
///             let count = found.map_or(0, |found| found.value) + 1;
///             Ok((Some(count), count))
///         })
///         .await?;
///     assert_eq!(counted, number);
/// }
/// # Ok::<(), alfred_ops_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct StateCell<T> {
    store: Arc<dyn StateStore>,
    key: String,
    holds: PhantomData<fn() -> T>,
}

/// What a cell held at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found<T> {
    /// Its content.
    pub value: T,
    /// The document's version, to be named by a write.
    pub version: u64,
    /// The store's own time of this read.
    pub read_at: DateTime<Utc>,
}

impl<T> Found<T> {
    /// What a write must expect that replaces what was found, or was not.
    #[must_use]
    pub fn expected(found: Option<&Self>) -> Expected {
        found.map_or(Expected::Absent, |found| Expected::Version(found.version))
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync> StateCell<T> {
    /// The document `key` of `store`: visible ASCII, at most 512 bytes.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, key: impl Into<String>) -> Self {
        Self { store, key: key.into(), holds: PhantomData }
    }

    /// The document's name.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it holds; none if there is no document. Dropping the future has no effect.
    ///
    /// # Errors
    /// The store's, or [`ErrorKind::Corrupt`] if it is no `T`.
    pub async fn load(&self) -> Result<Option<Found<T>>> {
        self.read().await.map(|(_, found)| found)
    }

    /// Writes `value` if the document is still as expected, and returns its new version. An outcome may be unknown, as
    /// [`StateStore::put`]'s; repeating it does no harm.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it is not, [`ErrorKind::Internal`] if the value is not JSON, else the store's. `operation`
    /// names what failed.
    pub async fn save(
        &self,
        operation: &'static str,
        value: &T,
        expected: Expected,
        fence: Option<Fence>,
    ) -> Result<u64> {
        self.put(self.json(operation, value)?, expected, fence).await
    }

    /// Makes of the document what `decide` says. It is given what is there now, and returns what is to be there and an
    /// answer for the caller; it is asked again as often as somebody else was faster, at most 50 times, and only what it
    /// said last is true. Nothing is written, and no fence judged, if it returns no value or the one that is there, or
    /// fails.
    ///
    /// After a dropped future or an error of [`Retry::Unknown`](crate::Retry::Unknown) the change may have happened or may
    /// still happen: a repetition is decided on what became of it.
    ///
    /// # Errors
    /// What `decide` returns; [`ErrorKind::Unavailable`] if others kept writing; the store's, but for
    /// [`ErrorKind::Conflict`]; [`ErrorKind::Corrupt`] if what is there is no `T`; [`ErrorKind::Internal`] if the value is
    /// not JSON. `operation` names what failed.
    pub async fn change<R>(
        &self,
        operation: &'static str,
        fence: Option<&Fence>,
        mut decide: impl FnMut(Option<Found<T>>) -> Result<(Option<T>, R)> + Send,
    ) -> Result<R> {
        for _ in 0..ATTEMPTS_MAX {
            let (document, found) = self.read().await?;
            let expected = Found::expected(found.as_ref());
            let (value, answer) = decide(found)?;
            let Some(value) = value else { return Ok(answer) };
            let value = self.json(operation, &value)?;
            if document.is_some_and(|document| document.value == value) {
                return Ok(answer);
            }
            match self.put(value, expected, fence.cloned()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other.map(|_| answer),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, operation, "others keep changing it")
            .with_target(&self.key)
            .with_remedy("try again"))
    }

    async fn read(&self) -> Result<(Option<Document>, Option<Found<T>>)> {
        let document = self.store.get(&self.key).await?;
        let found = match &document {
            Some(document) => {
                Some(Found { value: document.parse()?, version: document.version, read_at: document.read_at })
            }
            None => None,
        };
        Ok((document, found))
    }

    fn json(&self, operation: &'static str, value: &T) -> Result<serde_json::Value> {
        serde_json::to_value(value).map_err(|source| {
            Error::new(ErrorKind::Internal, operation, "the value is not JSON")
                .with_target(&self.key)
                .with_source(source)
        })
    }

    async fn put(&self, value: serde_json::Value, expected: Expected, fence: Option<Fence>) -> Result<u64> {
        let write = match expected {
            Expected::Absent => Write::create(&self.key, value),
            Expected::Version(version) => Write::replace(&self.key, value, version),
        };
        self.store.put(&write.with_fence(fence)).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::{MemoryStateStore, SimulatedClock};

    /// A store in which somebody else is faster so many times.
    #[derive(Debug)]
    struct Contended {
        store: MemoryStateStore,
        rivals: AtomicU32,
        puts: AtomicU32,
    }

    #[async_trait]
    impl StateStore for Contended {
        async fn get(&self, key: &str) -> Result<Option<Document>> {
            self.store.get(key).await
        }

        async fn put(&self, write: &Write) -> Result<u64> {
            self.puts.fetch_add(1, Ordering::SeqCst);
            let left = self.rivals.load(Ordering::SeqCst);
            if left > 0 {
                self.rivals.store(left - 1, Ordering::SeqCst);
                let rival = StateCell::<u32>::new(Arc::new(self.store.clone()), &write.key);
                let more =
                    |found: Option<Found<u32>>| Ok((Some(found.map_or(0, |found| found.value) + 10), ()));
                rival.change("rival", None, more).await?;
            }
            self.store.put(write).await
        }

        async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
            self.store.delete(key, expected, fence).await
        }

        async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
            self.store.list(prefix, after, limit).await
        }
    }

    fn contended(rivals: u32) -> (Arc<Contended>, StateCell<u32>) {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let store = MemoryStateStore::new(clock.shared());
        let store = Arc::new(Contended { store, rivals: rivals.into(), puts: 0.into() });
        let cell = StateCell::new(Arc::clone(&store) as Arc<dyn StateStore>, "count");
        (store, cell)
    }

    #[tokio::test]
    async fn a_change_is_decided_again_on_what_others_wrote() {
        for rivals in [0, 1, ATTEMPTS_MAX - 1] {
            let (store, cell) = contended(rivals);
            let mut asked = 0;
            let answer = cell
                .change("count", None, |found| {
                    asked += 1;
                    assert_eq!(found.is_none(), asked == 1, "{rivals}");
                    let count = found.map_or(0, |found| found.value) + 1;
                    Ok((Some(count), count))
                })
                .await
                .unwrap();
            let found = cell.load().await.unwrap().unwrap();
            assert_eq!((answer, found.value), (rivals * 10 + 1, rivals * 10 + 1), "{rivals}");
            assert_eq!((asked, store.puts.load(Ordering::SeqCst)), (rivals + 1, rivals + 1), "{rivals}");
        }
    }

    #[tokio::test]
    async fn it_gives_up_where_others_never_cease() {
        let (store, cell) = contended(u32::MAX);
        let error = cell.change("count", None, |_| Ok((Some(1), ()))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("count") && error.remedy().is_some(), "{error}");
        assert_eq!(store.puts.load(Ordering::SeqCst), ATTEMPTS_MAX);
    }

    #[tokio::test]
    async fn what_is_as_it_was_is_not_written() {
        let (store, cell) = contended(0);
        let version = cell.save("count", &7, Expected::Absent, None).await.unwrap();
        for value in [None, Some(7)] {
            assert_eq!(cell.change("count", None, |_| Ok((value, "done"))).await.unwrap(), "done");
        }
        let refuse = |_| Err(Error::new(ErrorKind::InvalidInput, "count", "no more"));
        let refused: Result<()> = cell.change("count", None, refuse).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        let found = cell.load().await.unwrap();
        assert_eq!(found, Some(Found { value: 7, version, read_at: DateTime::UNIX_EPOCH }));
        assert_eq!(store.puts.load(Ordering::SeqCst), 1);
        // Where there is nothing, the emptiest value is something.
        let nothing = StateCell::<Option<u32>>::new(Arc::clone(&store) as Arc<dyn StateStore>, "none");
        nothing.change("note", None, |_| Ok((Some(None), ()))).await.unwrap();
        assert!(nothing.load().await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_write_names_what_it_replaces_and_its_fence() {
        let (store, cell) = contended(0);
        let first = cell.save("count", &1, Expected::Absent, None).await.unwrap();
        cell.save("count", &2, Expected::Version(first), None).await.unwrap();
        for stale in [Expected::Absent, Expected::Version(first)] {
            let error = cell.save("count", &3, stale, None).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
        let found = cell.load().await.unwrap();
        assert_ne!(Found::expected(found.as_ref()), Expected::Version(first));
        assert_eq!(Found::<u32>::expected(None), Expected::Absent);
        // Nobody holds such a lease.
        let fence = Fence { lease: "nobody".to_owned(), epoch: 1 };
        let error = cell.change("count", Some(&fence), |_| Ok((Some(3), ()))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced);
        store.store.put(&Write::create("text", json!("three"))).await.unwrap();
        let text = StateCell::<u32>::new(Arc::clone(&store) as Arc<dyn StateStore>, "text");
        assert_eq!(text.load().await.unwrap_err().kind(), ErrorKind::Corrupt);
        let no_json = StateCell::<BTreeMap<(u8, u8), u8>>::new(store, "map");
        let map = BTreeMap::from([((1, 2), 3)]);
        let error = no_json.save("note", &map, Expected::Absent, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
