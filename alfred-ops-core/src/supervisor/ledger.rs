//! A job's document in the store.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::job::{Attempt, JobState};
use crate::{
    ClockExt as _, Error, ErrorKind, Expected, Fence, Found, Result, RunRecord, SharedClock, StateCell,
};

/// A store that does not answer for so long is treated as one that is away.
const STORE_LIMIT: Duration = Duration::from_secs(10);
/// Each conflict means that another writer succeeded; a job has hardly ever more than one.
const CONFLICTS_MAX: u32 = 5;

/// Reads and writes one job's document; every write carries the fence of its term.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) cell: StateCell<JobState>,
    pub(super) clock: SharedClock,
    pub(super) fence: Option<Fence>,
    pub(super) history_max: usize,
}

impl Ledger {
    pub(super) async fn load(&self) -> Result<(JobState, Expected)> {
        let found = self.clock.timeout(STORE_LIMIT, "read job state", self.cell.load()).await??;
        let expected = Found::expected(found.as_ref());
        Ok((found.map_or_else(|| JobState::new(self.clock.now()), |found| found.value), expected))
    }

    pub(super) async fn save(&self, state: &JobState, expected: Expected) -> Result<()> {
        const WRITE: &str = "write job state";
        let written = self.cell.save(WRITE, state, expected, self.fence.clone());
        self.clock.timeout(STORE_LIMIT, WRITE, written).await??;
        Ok(())
    }

    /// Records the end of `attempt` once, however often it is called.
    pub(super) async fn settle(
        &self,
        attempt: &Attempt,
        record: &RunRecord,
        failures_before: u32,
        retry_at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        for _ in 0..CONFLICTS_MAX {
            let (mut state, expected) = self.load().await?;
            if state.running.as_ref() != Some(attempt) {
                // An earlier call may have succeeded without our hearing of it.
                if state.history.contains(record) {
                    return Ok(());
                }
                let fault = "another replica took the job over before this run was recorded";
                return Err(Error::new(ErrorKind::Fenced, "record run", fault).with_target(self.cell.key()));
            }
            state.failures = failures_before;
            state.settle(record.clone(), retry_at, self.history_max);
            match self.save(&state, expected).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other,
            }
        }
        let fault = format!("{CONFLICTS_MAX} conflicts in a row");
        Err(Error::new(ErrorKind::Unavailable, "record run", fault).with_target(self.cell.key()))
    }
}
