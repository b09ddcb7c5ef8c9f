//! What a host can do with a job.

use std::sync::Arc;

use super::slot::JobSlot;
use crate::job::JobState;
use crate::{Progress, Result, RunRecord, StateStore};

/// One job of a [`Supervisor`](super::Supervisor), as its host sees it.
#[derive(Debug, Clone)]
pub struct JobHandle {
    pub(super) slot: Arc<JobSlot>,
    pub(super) store: Arc<dyn StateStore>,
}

impl JobHandle {
    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// Asks the job to look now. Wakes before the next run count as one; a wake while it runs makes it run
    /// once more. A replica that does not lead keeps the wake until it does.
    pub fn wake(&self) {
        self.slot.wake.notify_one();
    }

    /// The progress of the present run on this replica, if there is one.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.slot.running()
    }

    /// The last runs of all replicas, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(&self) -> Result<Vec<RunRecord>> {
        let Some(document) = self.store.get(&self.slot.key).await? else { return Ok(Vec::new()) };
        Ok(document.parse::<JobState>()?.history.into())
    }
}
