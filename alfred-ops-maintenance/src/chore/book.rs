//! Where a chore's history and people's wishes are kept.

use std::sync::Arc;

use alfred_ops_core::{Document, Error, ErrorKind, Fence, Result, SharedClock, StateStore, Write};

use super::state::{Attempt, ChoreState, Pause};
use super::{Cadence, ChoreRecord, ChoreStanding};

/// Runs that the history keeps: a year of weeks.
const HISTORY_MAX: usize = 64;
/// A write that meets another's is decided again; people and one run write, so a few times do.
const ATTEMPTS_MAX: u32 = 16;

/// The history of one chore and people's wishes about it, in a state store: any host that shares the store may read it,
/// pause the chore, resume it, or abort its run, wherever that is.
#[derive(Debug, Clone)]
pub struct ChoreBook {
    store: Arc<dyn StateStore>,
    clock: SharedClock,
    key: String,
}

impl ChoreBook {
    /// The book of the chore called `name`. Nothing is read or written before a call.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, name: &str, clock: SharedClock) -> Self {
        Self { store, clock, key: format!("chore/{name}") }
    }

    /// The last runs, oldest first, at most 64.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(&self) -> Result<Vec<ChoreRecord>> {
        Ok(self.load().await?.0.history.into())
    }

    /// How it stands with the chore now.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self, cadence: &Cadence) -> Result<ChoreStanding> {
        Ok(ChoreStanding::judge(&self.load().await?.0, cadence, self.clock.now()))
    }

    /// Lets the chore rest until somebody resumes it. A run that is under way stops between two steps. It still becomes
    /// overdue, so that nobody forgets it.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn pause(&self, reason: &str) -> Result<()> {
        let pause = Pause { since: self.clock.now(), reason: super::record::shortened(reason) };
        self.change(None, |state| state.paused = Some(pause.clone())).await
    }

    /// Ends a pause: the chore goes on at its next look.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn resume(&self) -> Result<()> {
        self.change(None, |state| state.paused = None).await
    }

    /// Ends the run that is under way, between two steps. The next comes a period later. Tells whether there was one.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn abort(&self) -> Result<bool> {
        let mut found = false;
        self.change(None, |state| {
            state.abort = state.running.as_ref().map(|attempt| attempt.id.clone());
            found = state.abort.is_some();
        })
        .await?;
        Ok(found)
    }

    /// Notes when the chore was first heard of, so that one that never runs becomes overdue.
    pub(super) async fn enrol(&self) -> Result<()> {
        match self.load().await? {
            (_, Some(_)) => Ok(()),
            (_, None) => self.change(None, |_| {}).await,
        }
    }

    pub(super) async fn state(&self) -> Result<ChoreState> {
        Ok(self.load().await?.0)
    }

    pub(super) async fn begin(&self, attempt: &Attempt, fence: Fence) -> Result<()> {
        self.change(Some(fence), |state| state.begin(attempt.clone(), HISTORY_MAX)).await
    }

    pub(super) async fn end(&self, record: &ChoreRecord, fence: Fence) -> Result<()> {
        self.change(Some(fence), |state| state.end(record.clone(), HISTORY_MAX)).await
    }

    async fn load(&self) -> Result<(ChoreState, Option<Document>)> {
        match self.store.get(&self.key).await? {
            Some(document) => Ok((document.parse()?, Some(document))),
            None => Ok((ChoreState::new(self.clock.now()), None)),
        }
    }

    async fn change(&self, fence: Option<Fence>, mut edit: impl FnMut(&mut ChoreState) + Send) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let (mut state, before) = self.load().await?;
            edit(&mut state);
            let value = serde_json::to_value(&state).map_err(|source| {
                Error::new(ErrorKind::Internal, "write chore", "it is not JSON").with_source(source)
            })?;
            let write = match before {
                Some(document) => Write::replace(self.key.clone(), value, document.version),
                None => Write::create(self.key.clone(), value),
            };
            match self.store.put(&write.with_fence(fence.clone())).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other.map(|_| ()),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "write chore", "others keep changing it")
            .with_target(self.key.clone()))
    }
}
