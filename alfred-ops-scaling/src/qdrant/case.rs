//! One shard, as the planner sees it.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClusterView, Collection, Goal, PeerId, ReplicaState, Shard};

/// One shard, as it will be once the transfers under way have ended.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The collection, by number and name.
    pub(super) number: usize,
    pub(super) collection: String,
    pub(super) shard: u32,
    /// The fewest replicas that should serve.
    pub(super) floor: usize,
    /// So many serve now.
    pub(super) serving: usize,
    /// The peers with a replica now, in whatever state.
    pub(super) holders_now: Vec<PeerId>,
    /// The peers with a replica that serves.
    pub(super) good: BTreeSet<PeerId>,
    /// The replicas that do not serve, and will not by themselves.
    pub(super) lame: BTreeMap<PeerId, ReplicaState>,
    /// The replicas that the server is about to change, or that only a person may touch.
    pub(super) held: BTreeMap<PeerId, ReplicaState>,
    /// Whether nothing is done to it.
    pub(super) frozen: bool,
    /// How many replicas should serve in the end.
    pub(super) want: usize,
    /// The steps that must be done before the first of its own.
    pub(super) after: Vec<usize>,
}

impl Case {
    pub(super) fn new(
        (view, goal): (&ClusterView, &Goal),
        (number, name, collection): (usize, &str, &Collection),
        (id, shard): (u32, &Shard),
    ) -> Self {
        let mut case = Self {
            number,
            collection: name.to_owned(),
            shard: id,
            floor: collection.floor(),
            serving: view.serving(shard),
            holders_now: shard.replicas.keys().copied().collect(),
            good: BTreeSet::new(),
            lame: BTreeMap::new(),
            held: BTreeMap::new(),
            frozen: collection.resharding,
            want: 0,
            after: Vec::new(),
        };
        for (&peer, &state) in &shard.replicas {
            if !view.is_reachable(peer) {
                case.lame.insert(peer, state);
            } else if state.is_active() {
                case.good.insert(peer);
            } else if state.is_passing() {
                case.held.insert(peer, state);
                // A transfer that is under way is judged by itself and takes its replica out of here.
            } else if state == ReplicaState::Dead || goal.takes_out(peer) {
                case.lame.insert(peer, state);
            } else {
                case.held.insert(peer, state);
            }
        }
        case
    }

    /// The peers with a replica once the transfers have ended, in whatever state.
    pub(super) fn holders(&self) -> impl Iterator<Item = PeerId> {
        self.good.iter().chain(self.lame.keys()).chain(self.held.keys()).copied()
    }

    /// How many serving replicas stay.
    pub(super) fn kept(&self, goal: &Goal) -> usize {
        self.good.iter().filter(|peer| !goal.takes_out(**peer)).count()
    }

    /// How many replicas leave, in whatever state.
    pub(super) fn leaving(&self, goal: &Goal) -> usize {
        self.holders().filter(|peer| goal.takes_out(*peer)).count()
    }

    /// Whether a replica may be on a peer in the end.
    pub(super) fn may_hold(&self, peer: PeerId, goal: &Goal) -> bool {
        match self.lame.get(&peer) {
            Some(state) => *state == ReplicaState::Dead && *goal != Goal::Rebalance,
            None => !self.held.contains_key(&peer),
        }
    }
}
