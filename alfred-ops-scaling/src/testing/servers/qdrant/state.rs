//! What a cluster of Qdrant knows, and its rules.

use std::collections::BTreeMap;

use super::chaos::{QdrantChaos, Setback};
use super::invariants::Invariants;
use super::refusal::Refusal;
use crate::qdrant::{ClusterView, Collection, PeerId, PeerState, ReplicaState, Route, Transfer};

/// Steps that a transfer takes, unless a test says otherwise.
const STEPS: u32 = 2;

/// A cluster: what its consensus holds, how far its transfers are, and what happens to it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) view: ClusterView,
    pub(super) work: BTreeMap<(String, u32, PeerId, PeerId), Work>,
    pub(super) invariants: Invariants,
    pub(super) chaos: Option<QdrantChaos>,
    pub(super) steps: u32,
    pub(super) api_key: Option<String>,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) done: u32,
    stalled: bool,
}

impl State {
    pub(super) fn new(view: ClusterView) -> Self {
        let mut state = Self {
            view,
            work: BTreeMap::new(),
            invariants: Invariants::default(),
            chaos: None,
            steps: STEPS,
            api_key: None,
        };
        let routes: Vec<Route> = state.routes().collect();
        for route in routes {
            state.work.insert(key(&route), Work { done: 0, stalled: false });
        }
        state
    }

    /// Whether a peer lives.
    pub(super) fn lives(&self, peer: PeerId) -> bool {
        self.view.is_reachable(peer)
    }

    /// The peer that leads the consensus, if enough live for one.
    pub(super) fn leader(&self) -> Option<PeerId> {
        let mut living = self.view.peers.keys().copied().filter(|peer| self.lives(*peer));
        let majority = living.clone().count() * 2 > self.view.peers.len();
        living.next().filter(|_| majority)
    }

    pub(super) fn collection(&self, name: &str) -> Result<&Collection, Refusal> {
        let missing = || Refusal::not_found(format!("Collection `{name}` doesn't exist!"));
        self.view.collections.get(name).ok_or_else(missing)
    }

    fn routes(&self) -> impl Iterator<Item = Route> {
        self.view.collections.iter().flat_map(|(name, collection)| {
            collection.transfers.iter().map(|transfer| Route {
                collection: name.clone(),
                shard: transfer.shard,
                from: transfer.from,
                to: transfer.to,
            })
        })
    }

    fn replicas(&mut self, route: &Route) -> Option<&mut BTreeMap<PeerId, ReplicaState>> {
        let shards = &mut self.view.collections.get_mut(&route.collection)?.shards;
        shards.get_mut(&route.shard).map(|shard| &mut shard.replicas)
    }

    fn check_shard(&self, name: &str, shard: u32, peers: &[PeerId]) -> Result<(), Refusal> {
        if !self.collection(name)?.shards.contains_key(&shard) {
            return Err(Refusal::bad_request(format!("Shard {shard} of {name} does not exist")));
        }
        match peers.iter().find(|peer| !self.view.peers.contains_key(peer)) {
            Some(peer) => Err(Refusal::bad_request(format!("Peer {peer} does not exist"))),
            None => Ok(()),
        }
    }

    /// Starts a transfer. Like the server's, this puts a replica at the far end out of service, even one that
    /// serves, and knows no limit.
    pub(super) fn start(&mut self, route: &Route, sync: bool) -> Result<(), Refusal> {
        self.check_shard(&route.collection, route.shard, &[route.from, route.to])?;
        if route.from == route.to {
            return Err(Refusal::bad_request("Validation error: the two peers must differ"));
        }
        let collection = self.collection(&route.collection)?;
        for peer in [route.from, route.to] {
            if let Some(other) = collection.transfer_with(route.shard, peer) {
                return Err(Refusal::bad_request(format!(
                    "Shard {} is already involved in transfer {} -> {}",
                    route.shard, other.from, other.to
                )));
            }
        }
        let source = collection.shards.get(&route.shard).and_then(|shard| shard.replicas.get(&route.from));
        if !matches!(source, Some(ReplicaState::Active | ReplicaState::Listener)) {
            return Err(Refusal::bad_request(format!(
                "Shard {} is not active or in listener mode on peer {}",
                route.shard, route.from
            )));
        }
        self.invariants.check_start(&self.view, route);
        let before = self.view.clone();
        if let Some(replicas) = self.replicas(route) {
            replicas.insert(route.to, ReplicaState::Partial);
        }
        if let Some(collection) = self.view.collections.get_mut(&route.collection) {
            let (shard, from, to) = (route.shard, route.from, route.to);
            collection.transfers.push(Transfer {
                shard,
                from,
                to,
                sync,
                stalled: false,
                comment: String::new(),
            });
        }
        self.work.insert(key(route), Work { done: 0, stalled: false });
        self.invariants.check_change(&before, &self.view, &format!("start of {route}"));
        Ok(())
    }

    /// Ends a transfer without its replica: of a move it is removed, of a replication it is dead.
    pub(super) fn abort(&mut self, route: &Route) -> Result<(), Refusal> {
        let before = self.view.clone();
        let Some(transfer) = self.take(route) else {
            self.collection(&route.collection)?;
            return Err(Refusal::not_found(format!(
                "Shard transfer {} -> {} for collection {}:{} does not exist",
                route.from, route.to, route.collection, route.shard
            )));
        };
        if let Some(replicas) = self.replicas(route) {
            if transfer.sync {
                replicas.insert(route.to, ReplicaState::Dead);
            } else {
                replicas.remove(&route.to);
            }
        }
        self.invariants.check_change(&before, &self.view, &format!("abort of {route}"));
        Ok(())
    }

    fn finish(&mut self, route: &Route) {
        let before = self.view.clone();
        let Some(transfer) = self.take(route) else { return };
        if let Some(replicas) = self.replicas(route) {
            replicas.insert(route.to, ReplicaState::Active);
            if !transfer.sync {
                replicas.remove(&route.from);
            }
        }
        self.invariants.check_change(&before, &self.view, &format!("end of {route}"));
    }

    fn take(&mut self, route: &Route) -> Option<Transfer> {
        self.work.remove(&key(route));
        let transfers = &mut self.view.collections.get_mut(&route.collection)?.transfers;
        let same = |transfer: &Transfer| {
            (transfer.shard, transfer.from, transfer.to) == (route.shard, route.from, route.to)
        };
        transfers.iter().position(same).map(|place| transfers.remove(place))
    }

    /// Drops a replica, and with it the transfers that it takes part in. The last that serves stays.
    pub(super) fn drop_replica(&mut self, name: &str, shard: u32, peer: PeerId) -> Result<(), Refusal> {
        self.check_shard(name, shard, &[peer])?;
        let collection = self.collection(name)?;
        let replicas = collection.shards.get(&shard).map(|shard| shard.replicas.clone()).unwrap_or_default();
        if !replicas.contains_key(&peer) {
            return Err(Refusal::bad_request(format!("Peer {peer} has no replica of shard {shard}")));
        }
        if !replicas.iter().any(|(other, state)| *other != peer && state.is_active()) {
            return Err(Refusal::bad_request(format!(
                "Shard {shard} must have at least one active replica after removing {peer}"
            )));
        }
        let related: Vec<Route> = self
            .routes()
            .filter(|route| route.collection == name && route.shard == shard)
            .filter(|route| route.from == peer || route.to == peer)
            .collect();
        for route in related {
            self.abort(&route)?;
        }
        let before = self.view.clone();
        if let Some(shard) =
            self.view.collections.get_mut(name).and_then(|found| found.shards.get_mut(&shard))
        {
            shard.replicas.remove(&peer);
        }
        self.invariants.check_change(&before, &self.view, &format!("drop of shard {shard} on peer {peer}"));
        Ok(())
    }

    pub(super) fn remove_peer(&mut self, peer: PeerId) -> Result<(), Refusal> {
        if self.view.holds_replicas(peer) {
            return Err(Refusal::bad_request(format!("Cannot remove peer {peer} as there are shards on it")));
        }
        match self.view.peers.remove(&peer) {
            Some(_) => Ok(()),
            None => Err(Refusal::bad_request(format!("Peer {peer} does not exist"))),
        }
    }

    /// A peer dies. Where `noticed`, writes have failed on its replicas since, and those that others can stand
    /// in for are dead.
    pub(super) fn kill(&mut self, peer: PeerId, noticed: bool) {
        if let Some(found) = self.view.peers.get_mut(&peer) {
            found.state = PeerState::Unreachable;
        }
        // What it was sending has nobody left who goes on with it, even once it is back.
        for (_, work) in self.work.iter_mut().filter(|((_, _, from, _), _)| *from == peer) {
            work.stalled = true;
        }
        let view = self.view.clone();
        for (name, collection) in &mut self.view.collections {
            for (id, shard) in &mut collection.shards {
                let others = view.collections.get(name).and_then(|found| found.shards.get(id));
                let replaced = others.is_some_and(|shard| view.serving(shard) > 0);
                if let Some(state) = shard.replicas.get_mut(&peer).filter(|_| noticed && replaced)
                    && state.is_active()
                {
                    *state = ReplicaState::Dead;
                }
            }
        }
    }

    /// A peer comes back with what it had. What is dead stays dead: the server's own recovery is not simulated.
    pub(super) fn revive(&mut self, peer: PeerId) {
        if let Some(peer) = self.view.peers.get_mut(&peer) {
            peer.state = PeerState::Reachable;
        }
    }

    /// Time passes: transfers go on, end, fail or stall, and peers die or come back.
    pub(super) fn step(&mut self) {
        let routes: Vec<Route> = self.routes().collect();
        for route in routes {
            let setback = self.chaos.as_ref().and_then(QdrantChaos::setback);
            let (sends, receives) = (self.lives(route.from), self.lives(route.to));
            let steps = self.steps;
            let Some(work) = self.work.get_mut(&key(&route)) else { continue };
            work.stalled |= setback == Some(Setback::Stalls);
            // Without its sender nobody ends a transfer.
            if !sends || (work.stalled && receives) {
                continue;
            }
            work.done += 1;
            let done = work.done >= steps;
            if setback == Some(Setback::Fails) || !receives {
                let _ = self.abort(&route);
            } else if done {
                self.finish(&route);
            }
        }
        let Some((chaos, true)) = self.chaos.as_ref().map(|chaos| (chaos, chaos.turns())) else { return };
        let dead = self.view.peers.keys().copied().find(|peer| !self.lives(*peer));
        let peers: Vec<PeerId> = self.view.peers.keys().copied().collect();
        let (victim, noticed) = (peers.get(chaos.pick(peers.len())).copied(), chaos.pick(2) == 0);
        match (dead, victim) {
            (Some(peer), _) => self.revive(peer),
            // Two cannot lose one and still agree on anything.
            (None, Some(peer)) if peers.len() > 2 => self.kill(peer, noticed),
            _ => {}
        }
    }
}

pub(super) fn key(route: &Route) -> (String, u32, PeerId, PeerId) {
    (route.collection.clone(), route.shard, route.from, route.to)
}
