//! The leases of a fleet, in a store that all its workers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Found, Result, SharedClock, StateCell, StateStore};
use chrono::{DateTime, TimeDelta, Utc};

use super::book::{Book, NAME_BYTES_MAX, Refusal, WorkId};
use super::{DrainPause, DrainWorker};

/// The drain leases of one fleet: a worker holds one while it works, and [`DrainingScaler`](super::DrainingScaler) stops
/// nobody who does.
///
/// They lie in one document of a store, so that beginning work and announcing a step down are one after the other: whoever
/// comes second sees the first. A lease ends when its work does, or at its deadline: a worker that was killed holds nothing
/// up for longer. Times are the store's own.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use alfred_ops_core::{MemoryStateStore, SystemClock};
/// use alfred_ops_scaling::DrainLeases;
///
/// let leases = DrainLeases::new(Arc::new(MemoryStateStore::default()), "drain/agents", SystemClock::shared());
/// // The name that the platform knows the instance by: on Kubernetes the pod's.
/// let worker = leases.worker("agents-7d9f-x2x");
/// let work = worker.begin(Duration::from_secs(600)).await?;
/// // … ten minutes at most …
/// work.end().await?;
/// # Ok::<(), alfred_ops_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct DrainLeases {
    cell: StateCell<Book>,
    clock: SharedClock,
}

/// Who works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainStanding {
    /// The workers with leases, and when they end at the latest.
    pub leases: Vec<(String, DateTime<Utc>)>,
    /// Until when some workers begin nothing more, since a step down is under way.
    pub closing_until: Option<DateTime<Utc>>,
    /// The [pauses](DrainLeases::pause) that nobody has taken back, by name.
    pub pauses: BTreeMap<String, DrainPause>,
}

impl DrainLeases {
    /// The leases in the document `key` of `store`: visible ASCII, at most 512 bytes, one for each fleet.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, key: impl Into<String>, clock: SharedClock) -> Self {
        Self { cell: StateCell::new(store, key), clock }
    }

    /// The worker `name`, which must be the name that the platform knows its instance by.
    #[must_use]
    pub fn worker(&self, name: impl Into<String>) -> DrainWorker {
        DrainWorker::new(self.clone(), name.into())
    }

    /// The worker `INSTANCE` of a group: it is called `GROUP/INSTANCE`, and a [pause](Self::pause) may spare its group.
    ///
    /// On Cloud Run the group of a worker pool's instance is its revision, which stands in the environment variable
    /// `CLOUD_RUN_WORKER_POOL_REVISION`; what tells instances apart is the `instance/id` of the metadata server. The group has no
    /// slash in it.
    #[must_use]
    pub fn worker_of(&self, group: &str, instance: &str) -> DrainWorker {
        self.worker(format!("{group}/{instance}"))
    }

    /// Who works now.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self) -> Result<DrainStanding> {
        let (book, now) = self.as_of(self.cell.load().await?);
        Ok(DrainStanding {
            leases: book.leased().map(|(worker, until)| (worker.to_owned(), until)).collect(),
            closing_until: book.closing_until(),
            pauses: book
                .pauses()
                .iter()
                .map(|(name, pause)| (name.clone(), DrainPause::of(&book, pause, now)))
                .collect(),
        })
    }

    /// The book without what is over, and the store's time.
    fn as_of(&self, found: Option<Found<Book>>) -> (Book, DateTime<Utc>) {
        let Some(Found { mut value, read_at, .. }) = found else {
            return (Book::default(), self.clock.now());
        };
        value.sweep(read_at);
        (value, read_at)
    }

    /// Changes the book as it is at that moment; `change` is asked again as often as somebody else was faster. What it
    /// leaves as it was is not written.
    pub(super) async fn change<T>(
        &self,
        operation: &'static str,
        mut change: impl FnMut(&mut Book, DateTime<Utc>) -> Result<T> + Send,
    ) -> Result<T> {
        self.cell
            .change(operation, None, |found| {
                let (before, now) = self.as_of(found);
                let mut book = before.clone();
                let outcome = change(&mut book, now)?;
                Ok(((book != before).then_some(book), outcome))
            })
            .await
    }

    pub(super) async fn begin(&self, worker: &str, allowed: Duration) -> Result<WorkId> {
        if worker.is_empty() || worker.len() > NAME_BYTES_MAX {
            let fault = format!("worker: its name has {} bytes, not 1 to {NAME_BYTES_MAX}", worker.len());
            return Err(Error::new(ErrorKind::InvalidInput, "begin work", fault)
                .with_remedy("call it as its platform calls the instance"));
        }
        self.change("begin work", |book, now| {
            book.begin(worker, now, later(now, allowed)).map_err(|refusal| match refusal {
                Refusal::Closing => Error::new(ErrorKind::Conflict, "begin work", "this instance is to go")
                    .with_target(worker)
                    .with_remedy("leave the work to others"),
                Refusal::Paused(until) => {
                    Error::new(ErrorKind::Conflict, "begin work", format!("work is paused until {until}"))
                        .with_target(worker)
                        .with_remedy("leave the work to others, or try again then")
                }
                Refusal::Full => Error::new(
                    ErrorKind::ResourceExhausted,
                    "begin work",
                    "the fleet works on too much at once",
                )
                .with_target(worker),
            })
        })
        .await
    }

    pub(super) async fn extend(&self, worker: &str, work: WorkId, allowed: Duration) -> Result<bool> {
        self.change("extend lease", |book, now| Ok(book.extend(worker, work, later(now, allowed)))).await
    }

    pub(super) async fn end(&self, worker: &str, work: WorkId) -> Result<()> {
        self.change("end work", |book, _| {
            book.end(worker, work);
            Ok(())
        })
        .await
    }
}

pub(super) fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
