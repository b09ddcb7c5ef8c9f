//! The instances of a worker pool, which work, and a platform that stops those who do first.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{EntropyExt as _, ErrorKind, SeededEntropy, SimulatedClock};
use alfred_ops_scaling::testing::servers::CloudRunServer;
use alfred_ops_scaling::{DrainLeases, Work};
use chrono::{DateTime, TimeDelta, Utc};

use super::house::Kind;

/// Instances by what tells them apart, and their works.
pub(crate) struct Fleet {
    pub(crate) leases: DrainLeases,
    clock: SimulatedClock,
    random: SeededEntropy,
    /// Whether the names of workers say their revision.
    named: bool,
    /// Their revisions.
    instances: BTreeMap<u32, String>,
    working: BTreeMap<u32, (Work, DateTime<Utc>)>,
    born: u32,
    /// How much was ever begun.
    pub(crate) begun: usize,
}

impl Fleet {
    pub(crate) fn new(leases: DrainLeases, clock: &SimulatedClock, seed: u64, named: bool) -> Self {
        Self {
            leases,
            clock: clock.clone(),
            random: SeededEntropy::new(seed ^ 0xf1ee7),
            named,
            instances: BTreeMap::new(),
            working: BTreeMap::new(),
            born: 0,
            begun: 0,
        }
    }

    /// How many instances each revision has.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for revision in self.instances.values() {
            *counts.entry(revision.clone()).or_default() += 1;
        }
        counts
    }

    /// The platform brings the instances to the shares. Nobody who works is stopped, unless a person wants it.
    pub(crate) fn follow(&mut self, server: &CloudRunServer, by_hand: bool) {
        self.forget();
        let wanted = server.instances_of(Kind::Pool.name());
        for (revision, count) in self.counts() {
            let stay = wanted.get(&revision).map_or(0, |count| usize::try_from(*count).unwrap());
            for _ in stay..count {
                let mut own = self.instances.iter().filter(|(_, of)| **of == revision).map(|(id, _)| *id);
                let worst = own.clone().find(|id| self.working.contains_key(id));
                let victim = worst.or_else(|| own.next()).unwrap();
                assert!(by_hand || worst.is_none(), "{victim} of {revision} worked and was stopped");
                self.instances.remove(&victim);
                self.working.remove(&victim);
            }
        }
        let counts = self.counts();
        for (revision, count) in wanted {
            let present = counts.get(&revision).copied().unwrap_or(0);
            for _ in present..usize::try_from(count).unwrap() {
                self.born += 1;
                self.instances.insert(self.born, revision.clone());
            }
        }
    }

    /// What is over by its deadline holds nobody.
    fn forget(&mut self) {
        let now = self.clock.shared().now();
        self.working.retain(|_, (_, until)| *until > now);
    }

    /// Everybody begins, goes on, ends, or does nothing.
    pub(crate) async fn work(&mut self) {
        self.forget();
        for id in self.instances.keys().copied().collect::<Vec<_>>() {
            let allowed = 10 + self.random.below(120);
            match (self.working.contains_key(&id), self.random.below(6)) {
                (false, 0..3) => drop(self.begin(id, allowed).await),
                (true, 0..2) => self.end(id).await,
                (true, 2) => self.extend(id, allowed).await,
                _ => {}
            }
        }
    }

    /// An instance begins work if it may.
    async fn begin(&mut self, id: u32, seconds: u64) -> bool {
        let worker = if self.named {
            self.leases.worker_of(&self.instances[&id], &id.to_string())
        } else {
            self.leases.worker(format!("worker-{id}"))
        };
        match worker.begin(Duration::from_secs(seconds)).await {
            Ok(work) => {
                let until = self.until(seconds);
                self.working.insert(id, (work, until));
                self.begun += 1;
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                false
            }
        }
    }

    async fn extend(&mut self, id: u32, seconds: u64) {
        let until = self.until(seconds);
        let (work, known) = self.working.get_mut(&id).unwrap();
        assert!(work.extend(Duration::from_secs(seconds)).await.unwrap());
        *known = until.max(*known);
    }

    async fn end(&mut self, id: u32) {
        if let Some((work, _)) = self.working.remove(&id) {
            work.end().await.unwrap();
        }
    }

    fn until(&self, seconds: u64) -> DateTime<Utc> {
        self.clock.shared().now() + TimeDelta::seconds(i64::try_from(seconds).unwrap())
    }
}
