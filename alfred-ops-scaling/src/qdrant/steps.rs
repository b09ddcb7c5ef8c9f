//! The steps of a plan, as they are put together.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::plan::Step;
use super::{Action, Goal, PeerId, Reason, Route};

/// The steps of a plan, as they are put together.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    goal: &'a Goal,
    steps: Vec<Step>,
    /// The transfers that each peer has sent, so that copies are taken from peers that send little.
    sent: BTreeMap<PeerId, usize>,
    /// For each peer the last steps of the shards that it holds.
    last: BTreeMap<PeerId, Vec<usize>>,
    /// The peers that hold something of which is not known yet what becomes of it.
    open: BTreeSet<PeerId>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(goal: &'a Goal) -> Self {
        Self { goal, steps: Vec::new(), sent: BTreeMap::new(), last: BTreeMap::new(), open: BTreeSet::new() }
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// Adds a step and returns its place.
    pub(super) fn add(&mut self, action: Action, reason: Reason, after: Vec<usize>) -> usize {
        self.steps.push(Step { action, reason, after, round: 0 });
        self.steps.len() - 1
    }

    /// Adds what brings a shard's serving replicas to `target`, one after the other: what fills up first, what
    /// takes away last.
    pub(super) fn add_case(&mut self, case: &Case, target: &[PeerId]) {
        let mut after = case.after.clone();
        let mut is_open = false;
        if case.frozen {
            for (peer, state) in case.held.iter().filter(|(_, state)| state.is_passing()) {
                let wait =
                    Action::Wait { collection: case.collection.clone(), shard: case.shard, peer: *peer };
                self.add(wait, Reason::Passing(*state), case.after.clone());
                is_open = true;
            }
        } else {
            self.bring(case, target, &mut after);
        }
        for peer in case.holders_now.iter().filter(|peer| self.goal.takes_out(**peer)) {
            if is_open {
                self.open.insert(*peer);
            }
            self.last.entry(*peer).or_default().extend(&after);
        }
    }

    fn bring(&mut self, case: &Case, target: &[PeerId], after: &mut Vec<usize>) {
        let target: BTreeSet<PeerId> = target.iter().copied().collect();
        let mut outs: Vec<PeerId> = case.good.difference(&target).copied().collect();
        // Those that leave go first, so that what has no successor is a surplus on a peer that stays.
        outs.sort_by_key(|peer| !self.goal.takes_out(*peer));
        let ins: Vec<PeerId> = target.difference(&case.good).copied().collect();
        let copies = ins.len().saturating_sub(outs.len());
        let mut lost = case.lame.keys().filter(|peer| self.goal.takes_out(**peer));
        let mut serving = case.serving;
        for (at, to) in ins.iter().enumerate() {
            if matches!(self.goal, Goal::Drain(_)) && case.lame.contains_key(to) {
                self.follow(drop_of(case, *to, false), Reason::Dead, after);
            }
            if at < copies {
                let reason = match lost.next() {
                    Some(peer) => Reason::PeerLeaves(*peer),
                    None => Reason::UnderReplicated { serving, wanted: case.want },
                };
                let from = self.source(case);
                self.follow(Action::ReplicateShard(route(case, from, *to)), reason, after);
                serving += 1;
            } else {
                let from = outs[at - copies];
                let leaves = self.goal.takes_out(from);
                let reason = if leaves { Reason::PeerLeaves(from) } else { Reason::Uneven };
                self.follow(Action::MoveShard(route(case, from, *to)), reason, after);
            }
        }
        for peer in outs.iter().skip(ins.len() - copies) {
            self.follow(drop_of(case, *peer, true), Reason::Surplus, after);
        }
        self.drop_lame(case, &target, after);
    }

    /// Drops what does not serve and is not filled again: on peers that leave, and in a repair everywhere.
    fn drop_lame(&mut self, case: &Case, target: &BTreeSet<PeerId>, after: &mut Vec<usize>) {
        let enough = target.len() >= case.want;
        for peer in case.lame.keys().filter(|peer| !target.contains(peer)) {
            let leaves = self.goal.takes_out(*peer);
            if leaves || (*self.goal == Goal::Repair && enough) {
                let reason = if leaves { Reason::PeerLeaves(*peer) } else { Reason::Dead };
                self.follow(drop_of(case, *peer, false), reason, after);
            }
        }
    }

    /// Takes a peer out once nothing of what it holds is left, if the steps so far see to that.
    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        if self.open.contains(&peer) {
            return;
        }
        let after = self.last.remove(&peer).unwrap_or_default();
        self.add(Action::RemovePeer { peer }, Reason::Drained, after);
    }

    /// Adds a step of a shard after those before it.
    fn follow(&mut self, action: Action, reason: Reason, after: &mut Vec<usize>) {
        if let Some(route) = action.transfer() {
            *self.sent.entry(route.from).or_default() += 1;
        }
        let place = self.add(action, reason, std::mem::take(after));
        after.push(place);
    }

    /// The peer with a serving replica that sends least.
    fn source(&self, case: &Case) -> PeerId {
        let sent = |peer: &PeerId| self.sent.get(peer).copied().unwrap_or(0);
        case.good.iter().min_by_key(|peer| (sent(peer), **peer)).copied().unwrap_or_default()
    }
}

fn route(case: &Case, from: PeerId, to: PeerId) -> Route {
    Route { collection: case.collection.clone(), shard: case.shard, from, to }
}

fn drop_of(case: &Case, peer: PeerId, active: bool) -> Action {
    Action::DropReplica { collection: case.collection.clone(), shard: case.shard, peer, active }
}
