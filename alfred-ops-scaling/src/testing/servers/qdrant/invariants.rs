//! What must hold in every state of a cluster that somebody changes.

use crate::qdrant::{ClusterView, Limits, ReplicaState, Route};

/// Watches every change that requests bring about, and notes what must not be. What dying peers take away is
/// nobody's fault.
#[derive(Debug, Default)]
pub(super) struct Invariants {
    pub(super) limits: Option<Limits>,
    pub(super) violations: Vec<String>,
    pub(super) transfers_peak: usize,
}

impl Invariants {
    /// No shard serves from fewer replicas than its floor, or than before if that was fewer; none is lost.
    pub(super) fn check_change(&mut self, before: &ClusterView, after: &ClusterView, what: &str) {
        for (name, collection) in &before.collections {
            let Some(now) = after.collections.get(name) else { continue };
            for (id, shard) in &collection.shards {
                let was = before.serving(shard);
                let is = now.shards.get(id).map_or(0, |shard| after.serving(shard));
                if is < was.min(collection.floor()) {
                    let floor = collection.floor();
                    self.violations.push(format!(
                        "{what}: shard {id} of {name:?} serves from {is} replicas, not {was}; its floor is {floor}"
                    ));
                }
                if now.shards.get(id).is_none_or(|shard| shard.replicas.is_empty()) {
                    self.violations.push(format!("{what}: shard {id} of {name:?} is lost"));
                }
            }
        }
    }

    /// A transfer is about to start: within the limits, and not to a peer whose replica serves.
    pub(super) fn check_start(&mut self, view: &ClusterView, route: &Route) {
        let running = view.transfers().count() + 1;
        self.transfers_peak = self.transfers_peak.max(running);
        if let Some(limits) = self.limits {
            if running > limits.transfers_max {
                self.violations.push(format!("{route}: {running} transfers run at once"));
            }
            for peer in [route.from, route.to] {
                let count = view.transfers_of(peer) + 1;
                if count > limits.transfers_per_peer_max {
                    self.violations.push(format!("{route}: {count} transfers at once on peer {peer}"));
                }
            }
        }
        let shard = view.collections.get(&route.collection).and_then(|found| found.shards.get(&route.shard));
        let there = shard.and_then(|shard| shard.replicas.get(&route.to));
        if there.is_some_and(|state| *state != ReplicaState::Dead) {
            self.violations.push(format!("{route}: it has a replica already"));
        }
    }
}
