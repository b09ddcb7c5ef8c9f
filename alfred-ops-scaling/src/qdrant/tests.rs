//! Plans of random clusters, and of chosen ones.

use std::collections::{BTreeMap, BTreeSet};

use alfred_ops_core::{EntropyExt as _, SeededEntropy};
use proptest::prelude::*;

use super::*;

/// How much is wrong with a random cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Every replica serves and nothing is under way.
    Sound,
    /// Peers are away, replicas are dead or pass, transfers are under way.
    Mixed,
}

fn below(entropy: &SeededEntropy, bound: u64) -> u64 {
    entropy.below(bound)
}

fn random(
    seed: u64,
    (peers_max, collections_max, shards_max): (u64, u64, u64),
    health: Health,
) -> ClusterView {
    let entropy = SeededEntropy::new(seed);
    let mut view = ClusterView::default();
    let peers = 2 + below(&entropy, peers_max - 1);
    for peer in 1..=peers {
        let away = health == Health::Mixed && below(&entropy, 8) == 0;
        let state = if away { PeerState::Unreachable } else { PeerState::Reachable };
        view.peers.insert(peer, Peer { uri: format!("http://peer-{peer}:6335/"), state });
    }
    for number in 0..below(&entropy, collections_max + 1) {
        let factor = 1 + below(&entropy, peers.min(3));
        let mut collection = Collection {
            replication_factor: u32::try_from(factor).unwrap(),
            write_consistency_factor: u32::try_from(1 + below(&entropy, factor)).unwrap(),
            ..Collection::default()
        };
        // Crowded clusters are those worth spreading.
        let crowd = factor.max(1 + below(&entropy, peers));
        for shard in 0..1 + u32::try_from(below(&entropy, shards_max)).unwrap() {
            let replicas = random_replicas(&entropy, factor, crowd, health);
            collection.shards.insert(shard, Shard { replicas });
            if health == Health::Mixed && below(&entropy, 6) == 0 {
                add_transfer(&entropy, &mut collection, shard, peers);
            }
        }
        view.collections.insert(format!("c{number}"), collection);
    }
    view
}

fn random_replicas(
    entropy: &SeededEntropy,
    factor: u64,
    crowd: u64,
    health: Health,
) -> BTreeMap<PeerId, ReplicaState> {
    let mixed = health == Health::Mixed;
    let wanted = match below(entropy, 6) {
        0 if mixed => factor - 1,
        1 if mixed => crowd.min(factor + 1),
        _ => factor,
    };
    let mut replicas = BTreeMap::new();
    while u64::try_from(replicas.len()).unwrap() < wanted {
        let state = match below(entropy, 10) {
            0 if mixed => ReplicaState::Dead,
            1 if mixed && below(entropy, 4) == 0 => ReplicaState::Partial,
            _ => ReplicaState::Active,
        };
        replicas.entry(1 + below(entropy, crowd)).or_insert(state);
    }
    replicas
}

fn add_transfer(entropy: &SeededEntropy, collection: &mut Collection, shard: u32, peers: u64) {
    let replicas = &mut collection.shards.get_mut(&shard).unwrap().replicas;
    let from = replicas.iter().find(|(_, state)| state.is_active()).map(|(peer, _)| *peer);
    let to = 1 + below(entropy, peers);
    let Some(from) = from.filter(|_| replicas.get(&to).is_none_or(|state| *state == ReplicaState::Dead))
    else {
        return;
    };
    // A move goes where nothing is.
    let sync = replicas.contains_key(&to) || below(entropy, 2) == 0;
    replicas.insert(to, ReplicaState::Partial);
    collection.transfers.push(Transfer {
        shard,
        from,
        to,
        sync,
        stalled: below(entropy, 4) == 0,
        comment: String::new(),
    });
}

/// Does a step as a whole, the end of its transfer included.
fn apply(view: &mut ClusterView, action: &Action) {
    let collection = action.collection().map(str::to_owned);
    let mut collection = collection.and_then(|name| view.collections.get_mut(&name));
    let finish = |collection: &mut Collection, shard: u32, from: PeerId, to: PeerId, sync: bool| {
        let replicas = &mut collection.shards.get_mut(&shard).unwrap().replicas;
        replicas.insert(to, ReplicaState::Active);
        if !sync {
            replicas.remove(&from);
        }
    };
    match (action, &mut collection) {
        (Action::MoveShard(route), Some(collection)) => {
            finish(collection, route.shard, route.from, route.to, false);
        }
        (Action::ReplicateShard(route), Some(collection)) => {
            finish(collection, route.shard, route.from, route.to, true);
        }
        (Action::DropReplica { shard, peer, .. }, Some(collection)) => {
            collection.shards.get_mut(shard).unwrap().replicas.remove(peer).unwrap();
        }
        (Action::AbortTransfer(route), Some(collection)) => {
            let same = |t: &Transfer| (t.shard, t.from, t.to) == (route.shard, route.from, route.to);
            let place = collection.transfers.iter().position(same).unwrap();
            let sync = collection.transfers.remove(place).sync;
            let replicas = &mut collection.shards.get_mut(&route.shard).unwrap().replicas;
            if sync {
                replicas.insert(route.to, ReplicaState::Dead);
            } else {
                replicas.remove(&route.to);
            }
        }
        (Action::Wait { shard, peer, .. }, Some(collection)) => {
            let place = collection.transfers.iter().position(|t| (t.shard, t.to) == (*shard, *peer));
            match place.map(|place| collection.transfers.remove(place)) {
                Some(t) => finish(collection, t.shard, t.from, t.to, t.sync),
                None => {
                    collection.shards.get_mut(shard).unwrap().replicas.insert(*peer, ReplicaState::Active);
                }
            }
        }
        (Action::RemovePeer { peer }, None) => drop(view.peers.remove(peer)),
        _ => panic!("{action} names no collection of the cluster"),
    }
}

/// Walks through a plan; after every step each shard serves from as many replicas as it must.
fn walk(view: &ClusterView, plan: &Plan) -> ClusterView {
    let mut view = view.clone();
    for step in &plan.steps {
        assert!(step.action.is_allowed(&view), "{} is not allowed in\n{plan}\n{view:#?}", step.action);
        let before = view.clone();
        apply(&mut view, &step.action);
        for (name, collection) in &view.collections {
            for (id, shard) in &collection.shards {
                let (was, is) = (before.serving(&before.collections[name].shards[id]), view.serving(shard));
                let floor = collection.floor().min(was);
                assert!(
                    is >= floor,
                    "{}: shard {id} of {name} serves from {is} of {floor}\n{plan}",
                    step.action
                );
            }
        }
    }
    view
}

/// No round has more transfers than allowed, and nobody waits for a later step.
fn check_rounds(view: &ClusterView, plan: &Plan, limits: &Limits) {
    let mut traffic: BTreeMap<(usize, PeerId), usize> = BTreeMap::new();
    let mut totals: BTreeMap<usize, usize> = BTreeMap::new();
    for transfer in view.transfers() {
        *totals.entry(0).or_default() += 1;
        for peer in [transfer.from, transfer.to] {
            *traffic.entry((0, peer)).or_default() += 1;
        }
    }
    for (place, step) in plan.steps.iter().enumerate() {
        assert!(step.after.iter().all(|before| *before < place && plan.steps[*before].round < step.round));
        let Some(route) = step.action.transfer() else { continue };
        let total = totals.entry(step.round).or_default();
        *total += 1;
        assert!(*total <= limits.transfers_max, "{plan}");
        for peer in [route.from, route.to] {
            let count = traffic.entry((step.round, peer)).or_default();
            *count += 1;
            assert!(*count <= limits.transfers_per_peer_max, "{plan}");
        }
    }
}

fn random_goal(seed: u64, view: &ClusterView) -> Goal {
    let entropy = SeededEntropy::new(!seed);
    match below(&entropy, 3) {
        0 => Goal::Rebalance,
        1 => Goal::Repair,
        _ => Goal::drain(view.peers.keys().copied().filter(|_| entropy.below(3) == 0)),
    }
}

/// The square sum of what peers hold of each collection and of all, and how many replicas are elsewhere.
fn judge(view: &ClusterView, placed: &[(&str, u32, BTreeSet<PeerId>)]) -> (usize, usize) {
    let mut cells: BTreeMap<(&str, PeerId), usize> = BTreeMap::new();
    let mut loads: BTreeMap<PeerId, usize> = BTreeMap::new();
    let mut transfers = 0;
    for (name, shard, peers) in placed {
        for peer in peers {
            *cells.entry((name, *peer)).or_default() += 1;
            *loads.entry(*peer).or_default() += 1;
            let here = view.collections[*name].shards[shard].replicas.contains_key(peer);
            transfers += usize::from(!here);
        }
    }
    let squares = cells.values().chain(loads.values()).map(|count| count * count).sum();
    (squares, transfers)
}

/// Tries every placement: the best spread, and the fewest transfers with which it can be had.
fn best(view: &ClusterView) -> (usize, usize) {
    let peers: Vec<PeerId> = view.peers.keys().copied().collect();
    let mut placements: Vec<Vec<(&str, u32, BTreeSet<PeerId>)>> = vec![Vec::new()];
    for (name, collection) in &view.collections {
        for (id, shard) in &collection.shards {
            let sets: Vec<BTreeSet<PeerId>> = (0_u32..1 << peers.len())
                .map(|bits| (0..peers.len()).filter(|at| bits >> at & 1 == 1).map(|at| peers[at]).collect())
                .filter(|set: &BTreeSet<PeerId>| set.len() == shard.replicas.len())
                .collect();
            placements = placements
                .into_iter()
                .flat_map(|placed| {
                    sets.iter().map(move |set| {
                        let mut placed = placed.clone();
                        placed.push((name.as_str(), *id, set.clone()));
                        placed
                    })
                })
                .collect();
        }
    }
    placements.iter().map(|placed| judge(view, placed)).min().unwrap()
}

fn placed(view: &ClusterView) -> Vec<(&str, u32, BTreeSet<PeerId>)> {
    view.collections
        .iter()
        .flat_map(|(name, collection)| {
            collection.shards.iter().map(move |(id, shard)| {
                (name.as_str(), *id, shard.replicas.keys().copied().collect::<BTreeSet<_>>())
            })
        })
        .collect()
}

fn loads(view: &ClusterView) -> Vec<usize> {
    let holds = |peer| move |(_, _, peers): &(&str, u32, BTreeSet<PeerId>)| peers.contains(peer);
    view.peers.keys().map(|peer| placed(view).iter().filter(|shard| holds(peer)(shard)).count()).collect()
}

/// The lower bound of one collection, from its peers' numbers of replicas.
fn above_or_below_share(loads: &[usize]) -> usize {
    let all: usize = loads.iter().sum();
    let (least, most) = (all / loads.len(), all.div_ceil(loads.len()));
    let above: usize = loads.iter().map(|load| load.saturating_sub(most)).sum();
    let below: usize = loads.iter().map(|load| least.saturating_sub(*load)).sum();
    above.max(below)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn every_prefix_is_safe_and_the_goal_is_reached(seed: u64, total in 1_usize..5, per_peer in 1_usize..3) {
        let view = random(seed, (6, 3, 5), Health::Mixed);
        let (goal, limits) = (random_goal(seed, &view), Limits::new(total, per_peer));
        let plan = super::plan(&view, &goal, &limits);
        prop_assert_eq!(&plan, &super::plan(&view, &goal, &limits), "it is deterministic");
        check_rounds(&view, &plan, &limits);
        let end = walk(&view, &plan);
        // What passes may turn out well or not: only then something may be left.
        let passed = plan.steps.iter().any(|step| matches!(step.reason, Reason::Passing(_)));
        let rest = super::plan(&end, &goal, &limits);
        prop_assert!(passed || rest.steps.is_empty(), "{}\nleft:\n{}", plan, rest);
        prop_assert!(passed || !plan.obstacles.is_empty() || rest.is_reached(), "{}\nleft:\n{}", plan, rest);
        if let (Goal::Drain(leaving), true) = (&goal, plan.obstacles.is_empty() && !passed) {
            prop_assert!(leaving.iter().all(|peer| !end.peers.contains_key(peer)));
        }
        prop_assert!(passed || plan.transfers() >= plan.transfers_min || !plan.obstacles.is_empty());
        if goal != Goal::Rebalance {
            prop_assert!(plan.transfers() <= plan.transfers_min, "{} needed\n{}", plan.transfers_min, plan);
        }
    }

    #[test]
    fn carried_out_in_part_it_is_followed_by_the_rest(seed: u64, share in 0_usize..100) {
        let view = random(seed, (6, 3, 6), Health::Sound);
        let goal = random_goal(seed, &view);
        let plan = super::plan(&view, &goal, &Limits::default());
        let done = plan.steps.len() * share / 100;
        let mut first = plan.clone();
        first.steps.truncate(done);
        let middle = walk(&view, &first);
        let rest = super::plan(&middle, &goal, &Limits::default());
        prop_assert_eq!(first.transfers() + rest.transfers(), plan.transfers(), "{}\nrest:\n{}", plan, rest);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_rebalance_is_as_even_and_as_short_as_any(seed: u64) {
        let view = random(seed, (4, 2, 3), Health::Sound);
        let plan = super::plan(&view, &Goal::Rebalance, &Limits::default());
        let end = walk(&view, &plan);
        let (squares, transfers) = best(&view);
        prop_assert_eq!(judge(&end, &placed(&end)).0, squares, "{}", plan);
        prop_assert_eq!(plan.transfers(), transfers, "{}", plan);
        prop_assert!(plan.transfers() <= plan.transfers_min + 1, "{} needed\n{}", plan.transfers_min, plan);
    }

    #[test]
    fn no_two_peers_differ_by_more_than_one(seed: u64) {
        let view = random(seed, (7, 4, 8), Health::Sound);
        let plan = super::plan(&view, &Goal::Rebalance, &Limits::default());
        let end = walk(&view, &plan);
        let mut counts: BTreeMap<&str, BTreeMap<PeerId, usize>> = BTreeMap::new();
        for (name, _, peers) in placed(&end) {
            for kind in ["", name] {
                let count = counts.entry(kind).or_insert_with(|| end.peers.keys().map(|peer| (*peer, 0)).collect());
                for peer in &peers {
                    *count.get_mut(peer).unwrap() += 1;
                }
            }
        }
        for count in counts.values() {
            let (least, most) = (count.values().min().unwrap(), count.values().max().unwrap());
            prop_assert!(most - least <= 1, "{:?} after\n{}", count, plan);
        }
        prop_assert!(plan.transfers() >= plan.transfers_min);
        prop_assert!(plan.transfers() <= plan.transfers_min + 1, "{} needed\n{}", plan.transfers_min, plan);
        if view.collections.len() == 1 {
            let loads: Vec<usize> = loads(&view);
            prop_assert_eq!(plan.transfers(), above_or_below_share(&loads), "{:?}\n{}", loads, plan);
        }
    }
}

/// A cluster in a few words: `1 2 3!` are peers, of which the third is away; a line of a collection has its
/// replication factor and for each shard its replicas, `2d` being a dead one on peer 2.
fn cluster(peers: &str, collections: &[(&str, u32, &[&str])]) -> ClusterView {
    let mut view = ClusterView::default();
    for peer in peers.split(' ') {
        let state = if peer.ends_with('!') { PeerState::Unreachable } else { PeerState::Reachable };
        view.peers.insert(peer.trim_end_matches('!').parse().unwrap(), Peer { uri: String::new(), state });
    }
    for (name, replication_factor, shards) in collections {
        let mut collection = Collection { replication_factor: *replication_factor, ..Collection::default() };
        for (id, replicas) in (0..).zip(*shards) {
            let replicas = replicas.split(' ').map(|replica| {
                let state = if replica.ends_with('d') { ReplicaState::Dead } else { ReplicaState::Active };
                (replica.trim_end_matches('d').parse().unwrap(), state)
            });
            collection.shards.insert(id, Shard { replicas: replicas.collect() });
        }
        view.collections.insert((*name).to_owned(), collection);
    }
    view
}

fn check(view: &ClusterView, goal: &Goal, lines: &[&str]) {
    let plan = plan(view, goal, &Limits::default());
    assert_eq!(plan.to_string().lines().collect::<Vec<_>>(), lines);
}

#[test]
fn a_balanced_cluster_is_left_alone() {
    let view = cluster("1 2 3", &[("docs", 2, &["1 2", "2 3", "1 3"]), ("logs", 1, &["1", "2"])]);
    for goal in [Goal::Rebalance, Goal::Repair, Goal::drain([9])] {
        check(&view, &goal, &["nothing to do"]);
    }
}

#[test]
fn each_collection_is_spread_though_all_together_are_even() {
    let view = cluster("1 2", &[("docs", 1, &["1", "1"]), ("logs", 1, &["2", "2"])]);
    check(
        &view,
        &Goal::Rebalance,
        &[
            "1. round 1: move shard 1 of \"docs\" from peer 1 to peer 2: the sender holds more than its share",
            "2. round 2: move shard 1 of \"logs\" from peer 2 to peer 1: the sender holds more than its share",
        ],
    );
}

#[test]
fn a_drain_says_what_leaves_and_what_is_dropped() {
    let view = cluster("1 2 3 4", &[("docs", 2, &["1 2", "1 2 3", "1d 2 4", "1 3d"])]);
    check(
        &view,
        &Goal::drain([1]),
        &[
            "1. round 1: move shard 0 of \"docs\" from peer 1 to peer 3: peer 1 leaves",
            "2. round 1: drop the replica of shard 1 of \"docs\" on peer 1: enough others serve",
            "3. round 1: drop the replica of shard 2 of \"docs\" on peer 1: peer 1 leaves",
            "4. round 2: move shard 3 of \"docs\" from peer 1 to peer 4: peer 1 leaves",
            "5. round 3: remove peer 1: it holds nothing (after 1, 2, 3, 4)",
        ],
    );
}

#[test]
fn a_repair_fills_what_is_dead_and_replaces_what_is_lost() {
    let view = cluster("1 2 3! 4", &[("docs", 2, &["1 2d", "1 3", "2d", "1 2 4d"])]);
    check(
        &view,
        &Goal::Repair,
        &[
            "1. round 1: replicate shard 0 of \"docs\" from peer 1 to peer 2: 1 of 2 replicas serve",
            "2. round 2: replicate shard 1 of \"docs\" from peer 1 to peer 4: 1 of 2 replicas serve",
            "3. round 3: drop the replica of shard 1 of \"docs\" on peer 3: it does not serve, and enough others do \
             (after 2)",
            "4. round 1: drop the replica of shard 3 of \"docs\" on peer 4: it does not serve, and enough others do",
            "not possible: no replica of shard 2 of \"docs\" serves; bring a peer with this shard back, or restore \
             it from a snapshot",
        ],
    );
}

#[test]
fn what_stands_in_the_way_is_said_with_a_remedy() {
    let view = cluster("1 2", &[("docs", 2, &["1 2"])]);
    let too_few = "not possible: shard 0 of \"docs\" wants 2 replicas and 1 peers can hold one; add peers, or lower \
                   the collection's replication factor and repeat";
    check(&view, &Goal::drain([2]), &[too_few]);
    let nobody = "not possible: no peer that is reached would stay; add peers, or let fewer leave";
    check(&view, &Goal::drain([1, 2]), &[nobody]);
    let mut resharded = view.clone();
    resharded.collections.get_mut("docs").unwrap().resharding = true;
    let resharding = "not possible: \"docs\" is being resharded; let resharding end, or abort it";
    check(&resharded, &Goal::Rebalance, &[resharding]);
    let away = cluster("1 2! 3", &[("docs", 2, &["1 2", "1 3", "1 3"])]);
    let not_serving = "not possible: the replica of shard 0 of \"docs\" on peer 2, Active, does not serve; bring its \
                       peer back or repair replication first";
    check(&away, &Goal::Rebalance, &[not_serving]);
}

#[test]
fn what_has_changed_meanwhile_stops_an_action() {
    let route = || Route { collection: "docs".to_owned(), shard: 0, from: 1, to: 2 };
    let drop_of =
        |peer, active| Action::DropReplica { collection: "docs".to_owned(), shard: 0, peer, active };
    let allowed = |action: &Action, replicas: &str| {
        action.is_allowed(&cluster("1 2 3 4!", &[("docs", 2, &[replicas])]))
    };
    let (fill, shift) = (Action::ReplicateShard(route()), Action::MoveShard(route()));
    assert!(allowed(&fill, "1 2d") && allowed(&fill, "1 3"));
    assert!(!allowed(&fill, "1 2"), "filling a replica that serves would stop it from serving");
    assert!(!allowed(&fill, "1d 2d") && !allowed(&fill, "3"), "there is no source");
    assert!(allowed(&shift, "1 3") && !allowed(&shift, "1 2d"));
    assert!(allowed(&drop_of(1, true), "1 2 3") && !allowed(&drop_of(1, true), "1 2 3d"), "two must serve");
    assert!(
        allowed(&drop_of(4, false), "1 4") && !allowed(&drop_of(1, false), "1 2 3"),
        "it has come to serve"
    );
    assert!(!allowed(&drop_of(1, false), "1d 2d") && !allowed(&drop_of(1, true), "1 4"), "none would serve");
    let remove = Action::RemovePeer { peer: 3 };
    assert!(allowed(&remove, "1 2") && !allowed(&remove, "1 3d"));
}
