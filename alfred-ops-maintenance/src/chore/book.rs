//! Where a chore's history and people's wishes are kept.

use std::sync::Arc;

use alfred_ops_core::{Fence, Found, Result, SharedClock, StateCell, StateStore};

use super::state::{Attempt, ChoreState, Pause};
use super::{Cadence, ChoreRecord, ChoreStanding};

/// Runs that the history keeps: a year of weeks. Those that did nothing hardly count.
const HISTORY_MAX: usize = 64;
const WRITE: &str = "write chore";

/// The history of one chore and people's wishes about it, in a state store: any host that shares the store may read it,
/// pause the chore, resume it, or abort its run, wherever that is.
#[derive(Debug, Clone)]
pub struct ChoreBook {
    cell: StateCell<ChoreState>,
    clock: SharedClock,
}

impl ChoreBook {
    /// The book of the chore called `name`. Nothing is read or written before a call.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, name: &str, clock: SharedClock) -> Self {
        Self { cell: StateCell::new(store, format!("chore/{name}")), clock }
    }

    /// The last runs that did something or failed, and the last that did nothing, oldest first, at most 64. Of runs in a row that
    /// did nothing because something was in their way the last stands for all.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(&self) -> Result<Vec<ChoreRecord>> {
        Ok(self.state().await?.history.into())
    }

    /// How it stands with the chore now.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self, cadence: &Cadence) -> Result<ChoreStanding> {
        Ok(ChoreStanding::judge(&self.state().await?, cadence, self.clock.now()))
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
        self.cell.change(WRITE, None, |found| Ok((found.is_none().then(|| self.known(None)), ()))).await
    }

    pub(super) async fn state(&self) -> Result<ChoreState> {
        Ok(self.known(self.cell.load().await?))
    }

    pub(super) async fn begin(&self, attempt: &Attempt, fence: Fence) -> Result<()> {
        self.change(Some(fence), |state| state.begin(attempt.clone(), HISTORY_MAX)).await
    }

    pub(super) async fn end(&self, record: &ChoreRecord, fence: Fence) -> Result<()> {
        self.change(Some(fence), |state| state.end(record.clone(), HISTORY_MAX)).await
    }

    fn known(&self, found: Option<Found<ChoreState>>) -> ChoreState {
        found.map_or_else(|| ChoreState::new(self.clock.now()), |found| found.value)
    }

    async fn change(&self, fence: Option<Fence>, mut edit: impl FnMut(&mut ChoreState) + Send) -> Result<()> {
        self.cell
            .change(WRITE, fence.as_ref(), |found| {
                let mut state = self.known(found);
                edit(&mut state);
                Ok((Some(state), ()))
            })
            .await
    }
}
