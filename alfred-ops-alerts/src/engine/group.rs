//! A group of rules as the engine runs it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::remote::Remote;
use crate::evaluation::GroupEvaluator;
use crate::rule::RuleGroup;

/// A group of rules, how often it is evaluated, and whether it still is.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) interval: Duration,
    /// What gives the group its place within the interval.
    pub(super) seed: u64,
    /// Whom its rules are asked of, if not of the engine's own store.
    pub(super) source: Option<Arc<Remote>>,
    /// Whether any rule is evaluated when what it looks at changes.
    pub(super) reacts: bool,
    /// `None` once the group has been exchanged for another.
    evaluator: Mutex<Option<GroupEvaluator>>,
    /// Cancelled once the group has been exchanged.
    pub(super) retired: CancellationToken,
}

impl Group {
    pub(super) fn new(interval: Duration, source: Option<Arc<Remote>>, evaluator: GroupEvaluator) -> Self {
        let RuleGroup { file, name, .. } = evaluator.group();
        Self {
            interval,
            seed: xxh3_64(format!("{file};{name}").as_bytes()),
            source,
            reacts: evaluator.reacts(),
            evaluator: Mutex::new(Some(evaluator)),
            retired: CancellationToken::new(),
        }
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
