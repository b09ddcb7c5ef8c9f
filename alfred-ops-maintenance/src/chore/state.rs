//! What is kept of a chore: one document.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::record::shortened;
use super::{ChoreOutcome, ChoreRecord, Figures};

/// A run that was begun and not yet recorded as ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) started_at: DateTime<Utc>,
    pub(super) epoch: u64,
}

impl Attempt {
    pub(super) fn ended(
        &self,
        ended_at: DateTime<Utc>,
        plan: &str,
        outcome: ChoreOutcome,
        figures: Figures,
    ) -> ChoreRecord {
        ChoreRecord {
            id: self.id.clone(),
            started_at: self.started_at,
            ended_at,
            plan: shortened(plan),
            outcome,
            figures,
            epoch: self.epoch,
        }
    }
}

/// Somebody's wish that a chore rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pause {
    pub(super) since: DateTime<Utc>,
    pub(super) reason: String,
}

/// A chore's document. One, so that a wish, the end of a run and the history become true in one write each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChoreState {
    /// When it was first heard of: a chore that never ran is overdue from here.
    pub(super) since: DateTime<Utc>,
    pub(super) paused: Option<Pause>,
    pub(super) running: Option<Attempt>,
    /// The run that somebody wants ended.
    pub(super) abort: Option<String>,
    /// The end of the last complete run; the history may have forgotten it.
    pub(super) completed_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Oldest first; of those that found nothing to do the last only.
    pub(super) history: VecDeque<ChoreRecord>,
}

impl ChoreState {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            since: now,
            paused: None,
            running: None,
            abort: None,
            completed_at: None,
            failures: 0,
            history: VecDeque::new(),
        }
    }

    /// A run begins. One that is still noted did not end: its process died.
    pub(super) fn begin(&mut self, attempt: Attempt, history_max: usize) {
        if let Some(dead) = self.running.take() {
            let record = dead.ended(attempt.started_at, "", ChoreOutcome::Abandoned, Figures::default());
            self.remember(record, history_max);
        }
        self.running = Some(attempt);
        self.abort = None;
    }

    /// The run ended.
    pub(super) fn end(&mut self, record: ChoreRecord, history_max: usize) {
        self.running = None;
        self.abort = None;
        match &record.outcome {
            ChoreOutcome::Finished | ChoreOutcome::Ineffective { .. } => {
                self.failures = 0;
                self.completed_at = Some(record.ended_at);
            }
            ChoreOutcome::Failed { .. } => self.failures = self.failures.saturating_add(1),
            ChoreOutcome::Stopped(_) | ChoreOutcome::Abandoned => {}
        }
        self.remember(record, history_max);
    }

    /// Keeps a run. Of those that finished with nothing done only the last is kept, and of those in a row that met the same
    /// kind of obstacle and did nothing the last too: a chore of every minute would else forget its nights within an hour.
    fn remember(&mut self, record: ChoreRecord, history_max: usize) {
        if record.is_idle() && record.outcome == ChoreOutcome::Finished {
            self.history.retain(|known| !(known.is_idle() && known.outcome == ChoreOutcome::Finished));
        } else if record.is_idle() {
            let same =
                |known: &mut ChoreRecord| known.is_idle() && known.outcome.name() == record.outcome.name();
            self.history.pop_back_if(same);
        }
        while self.history.len() >= history_max.max(1) {
            self.history.pop_front();
        }
        self.history.push_back(record);
    }
}
