//! A group of rules as the engine runs it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::evaluation::GroupEvaluator;

/// A group of rules, how often it is evaluated, and whether it still is.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) interval: Duration,
    /// `None` once the group has been exchanged for another.
    evaluator: Mutex<Option<GroupEvaluator>>,
    /// Cancelled once the group has been exchanged.
    pub(super) retired: CancellationToken,
}

impl Group {
    pub(super) fn new(interval: Duration, evaluator: GroupEvaluator) -> Self {
        Self { interval, evaluator: Mutex::new(Some(evaluator)), retired: CancellationToken::new() }
    }

    /// What `ask` says of the evaluator; `None` once the group has been exchanged. Waits for an evaluation under way.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut GroupEvaluator) -> T) -> Option<T> {
        self.evaluator().as_mut().map(ask)
    }

    /// Ends the group: it is evaluated no more, and its state goes to whoever takes its place.
    pub(super) fn retire(&self) -> Option<GroupEvaluator> {
        self.retired.cancel();
        self.evaluator().take()
    }

    fn evaluator(&self) -> MutexGuard<'_, Option<GroupEvaluator>> {
        self.evaluator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
