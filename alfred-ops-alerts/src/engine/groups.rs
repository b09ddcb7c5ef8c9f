//! The groups of an engine, which may be exchanged while it runs.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use alfred_ops_core::SharedClock;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::Reload;
use super::group::Group;
use super::remotes::Remotes;
use crate::evaluation::{GroupEvaluator, Removed};
use crate::promql::{QueryOptions, Selections};
use crate::rule::{CheckedGroup, RuleSet};
use crate::store::Interest;

/// The groups of an engine, which may be exchanged while it runs.
#[derive(Debug)]
pub(super) struct Groups {
    options: QueryOptions,
    /// What the selectors of all rules mean.
    selections: Selections,
    /// What evaluations are timed by.
    clock: SharedClock,
    /// How often groups without an interval of their own are evaluated.
    interval: Duration,
    /// How long series are kept that no rule looks at.
    keep_all: Option<Duration>,
    pub(super) remotes: Remotes,
    /// Written only while groups are exchanged, so that whoever reads sees the alerts of all groups or waits.
    current: RwLock<Vec<Arc<Group>>>,
    /// Says that there are groups whose evaluation has not been started.
    pub(super) exchanged: Notify,
}

impl Groups {
    pub(super) fn new(
        rules: &RuleSet,
        (options, clock): (QueryOptions, SharedClock),
        interval: Duration,
        keep_all: Option<Duration>,
        remotes: Remotes,
    ) -> Self {
        let groups = Self {
            options,
            selections: Selections::default(),
            clock,
            interval,
            keep_all,
            remotes,
            current: RwLock::default(),
            exchanged: Notify::new(),
        };
        let current = rules.checked().iter().map(|checked| Arc::new(groups.open(checked))).collect();
        Self { current: RwLock::new(current), ..groups }
    }

    fn open(&self, checked: &CheckedGroup) -> Group {
        let source = checked.group.source.as_ref().and_then(|name| self.remotes.get(name));
        let interval = self.interval_of(checked);
        let evaluator = GroupEvaluator::new(checked.clone(), self.options.clone(), &self.selections);
        Group::new(interval, source.cloned(), evaluator.timed_by(SharedClock::clone(&self.clock)))
    }

    fn interval_of(&self, checked: &CheckedGroup) -> Duration {
        checked.group.interval.unwrap_or(self.interval)
    }

    /// What these rules and the engine's own settings want kept.
    pub(super) fn interest(&self, rules: &RuleSet) -> Interest {
        let interest = rules.interest(&self.options);
        match self.keep_all {
            Some(retention) => {
                interest.with_everything(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX))
            }
            None => interest,
        }
    }

    /// All groups; none is exchanged while the answer is held.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Group>>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All groups, which may be exchanged meanwhile.
    pub(super) fn list(&self) -> Vec<Arc<Group>> {
        self.read().clone()
    }

    /// Puts the groups of `rules` in place of all others. Groups that are as they were go on; of those that have changed,
    /// each rule takes over from the one of the same name and labels. What is taken over by none is handed to `drop_rule`.
    pub(super) fn exchange(
        &self,
        rules: &RuleSet,
        now: DateTime<Utc>,
        mut drop_rule: impl FnMut(Removed),
    ) -> Reload {
        let mut reload = Reload::default();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *current);
        for checked in rules.checked() {
            let place =
                before.iter().position(|group| group.with(|known| known.is_named_as(checked)) == Some(true));
            let Some(known) = place.map(|place| before.swap_remove(place)) else {
                reload.groups_added += 1;
                current.push(Arc::new(self.open(checked)));
                continue;
            };
            let same = known.with(|evaluator| evaluator.evaluates(checked)) == Some(true);
            if same && known.interval == self.interval_of(checked) {
                reload.groups_unchanged += 1;
                current.push(known);
                continue;
            }
            reload.groups_changed += 1;
            let next = self.open(checked);
            if let Some(old) = known.retire() {
                let left = next.with(|evaluator| evaluator.take_over(old, now)).unwrap_or_default();
                left.into_iter().for_each(&mut drop_rule);
            }
            current.push(Arc::new(next));
        }
        reload.groups_removed = before.len();
        for old in before.iter().filter_map(|group| group.retire()) {
            old.into_removed().into_iter().for_each(&mut drop_rule);
        }
        drop(current);
        self.exchanged.notify_one();
        reload
    }
}
