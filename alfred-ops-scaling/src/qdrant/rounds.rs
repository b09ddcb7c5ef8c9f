//! Which steps can be taken at once.

use std::collections::BTreeMap;

use super::plan::Step;
use super::{ClusterView, Limits, PeerId};

/// How many transfers run in each round, in all and of each peer.
#[derive(Debug, Default)]
struct Traffic {
    all: Vec<usize>,
    of_peers: BTreeMap<PeerId, Vec<usize>>,
}

/// Gives each step its round: the first after all that it waits for in which the limits leave room. What runs
/// already takes up room in the first.
pub(super) fn assign(steps: &mut [Step], view: &ClusterView, limits: &Limits) {
    let mut traffic = Traffic::default();
    for transfer in view.transfers() {
        traffic.add(0, transfer.from, transfer.to);
    }
    for place in 0..steps.len() {
        let after = steps[place].after.iter().map(|before| steps[*before].round + 1);
        let mut round = after.max().unwrap_or(0);
        if let Some(route) = steps[place].action.transfer() {
            let (from, to) = (route.from, route.to);
            while !traffic.has_room(round, from, to, limits) {
                round += 1;
            }
            traffic.add(round, from, to);
        }
        steps[place].round = round;
    }
}

impl Traffic {
    fn add(&mut self, round: usize, from: PeerId, to: PeerId) {
        count(&mut self.all, round);
        count(self.of_peers.entry(from).or_default(), round);
        count(self.of_peers.entry(to).or_default(), round);
    }

    /// An empty round always has room, so the search for one ends.
    fn has_room(&self, round: usize, from: PeerId, to: PeerId, limits: &Limits) -> bool {
        let at = |counts: &[usize]| counts.get(round).copied().unwrap_or(0);
        let of = |peer: PeerId| self.of_peers.get(&peer).map_or(0, |counts| at(counts));
        let per_peer = limits.transfers_per_peer_max.max(1);
        at(&self.all) < limits.transfers_max.max(1) && of(from) < per_peer && of(to) < per_peer
    }
}

fn count(counts: &mut Vec<usize>, round: usize) {
    if counts.len() <= round {
        counts.resize(round + 1, 0);
    }
    counts[round] += 1;
}
