//! One run of a chore, while it lasts.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, LeaseKeeper, Result};
use tracing::warn;

use super::figures::NOTES_MAX;
use super::gate::{GATE_LIMIT, first_closed};
use super::record::shortened;
use super::{Budget, ChoreBook, Figures, Gate, Stop};

/// How often wishes and gates are looked at within a run.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A step that had this part of the time of two runs does not fit into one.
const MUCH_TIME: u32 = 2;
/// As many steps that were cut off are remembered.
const CUT_OFF_MAX: usize = 20;

/// One run of a chore, while it lasts: what it may still do, and what it has done.
#[derive(Debug)]
pub struct Turn<'a> {
    context: &'a JobContext,
    budget: Budget,
    watch: Watch<'a>,
    started: Duration,
    looked: Duration,
    figures: Figures,
    stop: Option<Stop>,
}

/// Who may end a run.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) id: &'a str,
    pub(super) book: &'a ChoreBook,
    pub(super) gates: &'a [Arc<dyn Gate>],
    pub(super) lease: &'a LeaseKeeper,
    /// What the run before was cut off in.
    pub(super) cut_off: &'a [String],
}

impl<'a> Turn<'a> {
    pub(super) fn new(context: &'a JobContext, budget: Budget, watch: Watch<'a>) -> Self {
        let started = context.clock.monotonic();
        Self { context, budget, watch, started, looked: started, figures: Figures::default(), stop: None }
    }

    /// Clock, randomness, progress and the fence of this run.
    #[must_use]
    pub const fn context(&self) -> &'a JobContext {
        self.context
    }

    /// What the run may take.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How much work is left of the budget.
    #[must_use]
    pub fn work_left(&self) -> u64 {
        self.budget.work.map_or(u64::MAX, |work| work.saturating_sub(self.figures.work))
    }

    /// Whether another step may be made. Once it may not, it never may again in this run: return `Ok` then.
    pub async fn may_go_on(&mut self) -> bool {
        if self.stop.is_none() {
            self.stop = self.reason_to_stop().await;
        }
        self.stop.is_none()
    }

    /// Tells of a step: how much work it did, and for how long it kept its locks.
    pub fn did(&mut self, work: u64, locked: Duration) {
        self.figures.work = self.figures.work.saturating_add(work);
        self.figures.steps = self.figures.steps.saturating_add(1);
        self.figures.longest_lock = self.figures.longest_lock.max(locked);
        self.context.progress.add(work);
    }

    /// Tells what is worth knowing beside the plan. More than twenty notes are left out.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        tracing::info!(note, "chore");
        if self.figures.notes.len() < NOTES_MAX {
            self.figures.notes.push(shortened(&note));
        }
    }

    /// Whether the run before was cut off in this step: then it comes last.
    #[must_use]
    pub fn was_cut_off(&self, step: &str) -> bool {
        self.watch.cut_off.iter().any(|cut_off| cut_off == step)
    }

    /// Tells that a step which began at `began`, by the monotonic clock, was left in the middle and has to be begun again.
    /// Where the time of the run was over, the next run does it last.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`]: it was cut off in the run before as well, and had the greater part of this one: it does
    /// not fit.
    pub fn cut_off(&mut self, step: &str, began: Duration) -> Result<()> {
        if self.stop != Some(Stop::TimeSpent) {
            return Ok(());
        }
        if self.figures.cut_off.len() < CUT_OFF_MAX {
            self.figures.cut_off.push(shortened(step));
        }
        let took = self.context.clock.monotonic().saturating_sub(began);
        if took < self.budget.time / MUCH_TIME || !self.was_cut_off(step) {
            return Ok(());
        }
        let what = format!("{step} takes longer than the {} s of a run", self.budget.time.as_secs());
        Err(Error::new(ErrorKind::ResourceExhausted, "run chore", what)
            .with_remedy("give the chore's budget more time, or leave this to a person"))
    }

    /// Lets the chore rest until a person resumes it. The run itself goes on.
    #[cfg(feature = "postgres")]
    pub(crate) async fn pause(&self, reason: &str) {
        if let Err(error) = self.watch.book.pause(reason).await {
            warn!(error = %error.full(), reason, "the chore could not be paused");
        }
    }

    /// Ends the run here: there is more to do, and the next run does it.
    pub fn stop(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }

    /// Waits, but not longer than the host wants to run or the lease is held.
    pub async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = self.context.cancel.cancelled() => {}
            () = self.watch.lease.lost().cancelled() => {}
            () = self.context.clock.sleep(pause) => {}
        }
    }

    pub(super) fn into_parts(self) -> (Figures, Option<Stop>) {
        (self.figures, self.stop)
    }

    async fn reason_to_stop(&mut self) -> Option<Stop> {
        let now = self.context.clock.monotonic();
        if self.context.cancel.is_cancelled() {
            return Some(Stop::Cancelled);
        }
        if !self.watch.lease.is_trusted() {
            return Some(Stop::LeaseLost);
        }
        if now.saturating_sub(self.started) >= self.budget.time {
            return Some(Stop::TimeSpent);
        }
        if self.work_left() == 0 {
            return Some(Stop::WorkDone);
        }
        if now.saturating_sub(self.looked) < LOOK_EVERY {
            return None;
        }
        self.looked = now;
        match self.watch.book.state().await {
            Ok(state) if state.abort.as_deref() == Some(self.watch.id) => return Some(Stop::Aborted),
            Ok(state) if state.paused.is_some() => return Some(Stop::Paused),
            Ok(_) => {}
            // The lease lives in the same store and runs out if this lasts.
            Err(error) => warn!(error = %error.full(), "nobody can tell whether the chore was paused"),
        }
        let closed = first_closed(self.watch.gates, &self.context.clock, GATE_LIMIT).await;
        closed.map(|(gate, reason)| Stop::Gate { gate, reason })
    }
}
