//! From facts and a goal to a plan.

use std::collections::BTreeMap;

use super::case::Case;
use super::placement::{Claim, Priority, place, transfers_min};
use super::plan::Plan;
use super::steps::Steps;
use super::{Action, ClusterView, Goal, Limits, Obstacle, PeerId, PeerState, Reason, ReplicaState, Route};

/// Shards times peers, at most: 1,000 shards on 20 peers, for which a rebalance is planned in 0.7 s (optimised). The
/// time grows with the square.
const PLACES_MAX: usize = 20_000;

/// How a cluster reaches a goal. Pure: the same facts give the same plan.
///
/// [`Goal::Rebalance`] ends with an even spread and has the fewest transfers with which that is possible;
/// [`Goal::Drain`] and [`Goal::Repair`] transfer only what must leave or is missing, and of the places for it
/// choose those that spread it best. What another plan, or somebody else, has started and serves the goal is
/// waited for; carried out in part, a plan is followed by the rest of it.
///
/// A drain with an obstacle has no steps, since it would not end; the other goals go as far as they can.
#[must_use]
pub fn plan(view: &ClusterView, goal: &Goal, limits: &Limits) -> Plan {
    let planner = Planner { view, goal };
    let mut plan = Plan { obstacles: planner.refusals(), ..Plan::default() };
    if plan.obstacles.is_empty() {
        planner.fill(&mut plan);
    }
    if matches!(goal, Goal::Drain(_)) && !plan.obstacles.is_empty() {
        plan.steps.clear();
    }
    super::rounds::assign(&mut plan.steps, view, limits);
    plan
}

struct Planner<'a> {
    view: &'a ClusterView,
    goal: &'a Goal,
}

impl Planner<'_> {
    /// What stands in the way of the goal as a whole.
    fn refusals(&self) -> Vec<Obstacle> {
        let mut refusals = Vec::new();
        let shards: usize = self.view.collections.values().map(|collection| collection.shards.len()).sum();
        let places = shards.saturating_mul(self.view.peers.len());
        if places > PLACES_MAX {
            refusals.push(Obstacle::TooLarge { places, places_max: PLACES_MAX });
        }
        if let Some(asked) = self.view.asked.filter(|asked| self.goal.takes_out(*asked)) {
            refusals.push(Obstacle::AskedPeerLeaves(asked));
        }
        if !self.view.peers.is_empty() && self.stage().is_empty() {
            refusals.push(Obstacle::NoPeerStays);
        }
        refusals
    }

    /// The peers that can be given replicas: reached, staying and no listeners.
    fn stage(&self) -> Vec<PeerId> {
        let listens = |peer: PeerId| {
            let mut shards = self.view.collections.values().flat_map(|collection| collection.shards.values());
            shards.any(|shard| shard.replicas.get(&peer) == Some(&ReplicaState::Listener))
        };
        let peers = self.view.peers.iter().filter(|(_, peer)| peer.state == PeerState::Reachable);
        let peers = peers.map(|(id, _)| *id);
        peers.filter(|peer| !self.goal.takes_out(*peer) && !listens(*peer)).collect()
    }

    fn fill(&self, plan: &mut Plan) {
        let stage = self.stage();
        let mut steps = Steps::new(self.goal);
        let mut cases = self.cases(&mut steps, &mut plan.obstacles);
        for case in &mut cases {
            self.judge(case, &stage, &mut plan.obstacles);
        }
        let targets = self.targets(&cases, &stage, plan);
        let mut order: Vec<usize> = (0..cases.len()).collect();
        if *self.goal == Goal::Repair {
            // What is nearest to being lost comes first.
            order.sort_by_key(|at| cases[*at].serving);
        }
        for at in order {
            steps.add_case(&cases[at], &targets[at]);
        }
        if let Goal::Drain(leaving) = self.goal {
            for peer in leaving.iter().filter(|peer| self.view.peers.contains_key(peer)) {
                steps.remove_peer(*peer);
            }
        }
        plan.steps = steps.into_steps();
    }

    /// All shards, as they will be once the transfers under way have ended: those that serve the goal with
    /// their replica, the others without.
    fn cases(&self, steps: &mut Steps<'_>, obstacles: &mut Vec<Obstacle>) -> Vec<Case> {
        let mut cases = Vec::new();
        for (number, (name, collection)) in self.view.collections.iter().enumerate() {
            if collection.resharding {
                obstacles.push(Obstacle::Resharding { collection: name.clone() });
            }
            for (id, shard) in &collection.shards {
                let mut case = Case::new((self.view, self.goal), (number, name, collection), (*id, shard));
                let transfers = collection.transfers.iter().filter(|transfer| transfer.shard == *id);
                for transfer in transfers.filter(|_| !collection.resharding) {
                    let route =
                        Route { collection: name.clone(), shard: *id, from: transfer.from, to: transfer.to };
                    case.held.remove(&transfer.to);
                    match self.objection(transfer) {
                        None => {
                            case.lame.remove(&transfer.to);
                            case.good.insert(transfer.to);
                            if !transfer.sync {
                                case.good.remove(&transfer.from);
                            }
                            let wait =
                                Action::Wait { collection: route.collection, shard: *id, peer: route.to };
                            case.after.push(steps.add(wait, Reason::UnderWay, Vec::new()));
                        }
                        Some(reason) => {
                            if transfer.sync {
                                case.lame.insert(transfer.to, ReplicaState::Dead);
                            } else {
                                case.lame.remove(&transfer.to);
                            }
                            case.after.push(steps.add(Action::AbortTransfer(route), reason, Vec::new()));
                        }
                    }
                }
                cases.push(case);
            }
        }
        cases
    }

    /// Why a transfer must not go on.
    fn objection(&self, transfer: &super::Transfer) -> Option<Reason> {
        let away = [transfer.from, transfer.to].into_iter().find(|peer| !self.view.is_reachable(*peer));
        match away {
            Some(peer) => Some(Reason::PeerUnreachable(peer)),
            None if self.goal.takes_out(transfer.to) => Some(Reason::ToLeavingPeer(transfer.to)),
            None => transfer.stalled.then_some(Reason::Stalled),
        }
    }

    /// Decides whether a shard is touched, and how many of its replicas should serve in the end.
    fn judge(&self, case: &mut Case, stage: &[PeerId], obstacles: &mut Vec<Obstacle>) {
        if case.frozen {
            return;
        }
        let places = stage.iter().filter(|peer| case.may_hold(**peer, self.goal)).count();
        let idle = match self.goal {
            Goal::Rebalance => case.lame.is_empty() && case.held.is_empty() && case.good.is_empty(),
            Goal::Repair => false,
            Goal::Drain(_) => case.leaving(self.goal) == 0,
        };
        case.frozen = idle || case.held.values().any(|state| state.is_passing());
        if case.frozen {
            return;
        }
        if *self.goal != Goal::Rebalance && case.good.is_empty() {
            case.frozen = true;
            obstacles.push(Obstacle::NoSource { collection: case.collection.clone(), shard: case.shard });
            return;
        }
        case.want = match self.goal {
            Goal::Rebalance => case.good.len(),
            Goal::Repair => case.good.len().max(case.floor),
            Goal::Drain(_) => {
                let kept = case.kept(self.goal);
                kept.max(case.floor.min(kept + case.leaving(self.goal)))
            }
        };
        if let Some(obstacle) = self.not_serving(case) {
            obstacles.push(obstacle);
            case.frozen = *self.goal == Goal::Rebalance;
        }
        if !case.frozen && case.want > places {
            let (collection, wanted) = (case.collection.clone(), case.want);
            obstacles.push(Obstacle::TooFewPeers { collection, shard: case.shard, wanted, peers: places });
        }
    }

    /// A replica that keeps a shard where it is, or that only a person can repair.
    fn not_serving(&self, case: &Case) -> Option<Obstacle> {
        let manual = |state: &ReplicaState| *state == ReplicaState::ManualRecovery;
        let mut held = case.held.iter().filter(|(_, state)| manual(state));
        let found = match self.goal {
            Goal::Rebalance => case.lame.iter().next().or_else(|| held.next()),
            Goal::Repair => held.next(),
            Goal::Drain(_) => None,
        };
        let (collection, shard) = (case.collection.clone(), case.shard);
        found.map(|(peer, state)| Obstacle::NotServing { collection, shard, peer: *peer, state: *state })
    }

    /// For each shard the peers that should hold a serving replica in the end.
    fn targets(&self, cases: &[Case], stage: &[PeerId], plan: &mut Plan) -> Vec<Vec<PeerId>> {
        let place_of: BTreeMap<PeerId, usize> =
            stage.iter().enumerate().map(|(at, peer)| (*peer, at)).collect();
        let mut fixed = vec![vec![0_usize; stage.len()]; self.view.collections.len()];
        let (mut claims, mut numbers) = (Vec::new(), Vec::new());
        for (number, case) in cases.iter().enumerate() {
            if case.frozen {
                for place in case.holders().filter_map(|peer| place_of.get(&peer)) {
                    fixed[case.number][*place] += 1;
                }
            } else {
                for place in case.held.keys().filter_map(|peer| place_of.get(peer)) {
                    fixed[case.number][*place] += 1;
                }
                claims.push(self.claim(case, stage));
                numbers.push(number);
            }
        }
        plan.transfers_min = if *self.goal == Goal::Rebalance {
            transfers_min(&claims, &fixed)
        } else {
            let touched = cases.iter().filter(|case| !case.frozen);
            touched.map(|case| case.want.saturating_sub(case.kept(self.goal))).sum()
        };
        let priority = if *self.goal == Goal::Rebalance { Priority::Evenness } else { Priority::Transfers };
        let placed = place(&claims, fixed, priority);
        let mut targets = vec![Vec::new(); cases.len()];
        for (number, placed) in numbers.into_iter().zip(placed) {
            targets[number] = (0..stage.len()).filter(|at| placed[*at]).map(|at| stage[at]).collect();
        }
        targets
    }

    fn claim(&self, case: &Case, stage: &[PeerId]) -> Claim {
        let allowed: Vec<bool> = stage.iter().map(|peer| case.may_hold(*peer, self.goal)).collect();
        let mut home: Vec<bool> = stage.iter().map(|peer| case.good.contains(peer)).collect();
        if *self.goal == Goal::Repair {
            // A dead replica is filled again where it is before another peer is given one.
            let mut missing = case.want.saturating_sub(case.good.len());
            for (at, peer) in stage.iter().enumerate() {
                if missing > 0 && allowed[at] && case.lame.contains_key(peer) {
                    home[at] = true;
                    missing -= 1;
                }
            }
        }
        Claim { collection: case.number, want: case.want, allowed, home }
    }
}
