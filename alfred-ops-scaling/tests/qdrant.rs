//! Plans carried out against a cluster that fails in every way, by runs that are killed anywhere.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use alfred_ops_core::{Clock, EntropyExt as _, ErrorKind, Job as _, JobContext, SeededEntropy};
use alfred_ops_scaling::qdrant::{
    ClusterView, Collection, Goal, Limits, Peer, PeerId, QdrantCluster, QdrantOptions, QdrantReport,
    QdrantUpkeep, ReplicaState, Shard, plan,
};
use alfred_ops_scaling::testing::servers::{QdrantChaos, QdrantServer};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

/// A clock on which every sleep is over at once: only sleeping takes time.
#[derive(Debug, Default)]
struct LeapingClock(AtomicU64);

#[async_trait]
impl Clock for LeapingClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::from_std(self.monotonic()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.0.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

/// A future that is killed when it has been polled so often.
struct Doomed<F>(Pin<Box<F>>, u64);

impl<F: Future> Future for Doomed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        self.0.as_mut().poll(context).map(Some)
    }
}

fn context() -> JobContext {
    JobContext::system().with_clock(Arc::new(LeapingClock::default()))
}

fn options(server: &QdrantServer, limits: Limits) -> QdrantOptions {
    QdrantOptions::new(server.endpoints())
        .with_limits(limits)
        .with_poll_after(Duration::from_secs(1))
        .with_patience(Duration::from_secs(30), Duration::from_secs(6))
        .with_attempts_max(4)
}

fn peers(count: u64) -> ClusterView {
    let peer = |id| (id, Peer { uri: format!("http://qdrant-{id}:6335/"), ..Peer::default() });
    ClusterView { peers: (1..=count).map(peer).collect(), ..ClusterView::default() }
}

/// A collection whose shards are on these peers.
fn add(view: &mut ClusterView, name: &str, factor: u32, shards: &[&[PeerId]]) {
    let mut collection =
        Collection { replication_factor: factor, write_consistency_factor: 1, ..Collection::default() };
    for (id, peers) in (0..).zip(shards) {
        let replicas = peers.iter().map(|peer| (*peer, ReplicaState::Active)).collect();
        collection.shards.insert(id, Shard { replicas });
    }
    view.collections.insert(name.to_owned(), collection);
}

/// Three peers with a replica of each of four shards on two of them.
fn three() -> ClusterView {
    let mut view = peers(3);
    add(&mut view, "docs", 2, &[&[1, 2], &[2, 3], &[1, 3], &[1, 2]]);
    view
}

async fn run(server: &QdrantServer, goal: &Goal) -> alfred_ops_core::Result<u64> {
    let limits = Limits::default();
    server.watch_limits(limits);
    let cluster = QdrantCluster::new(options(server, limits)).unwrap();
    let done = cluster.run(goal, &context()).await;
    assert_eq!(server.violations(), Vec::<String>::new());
    done.map(|report| report.transfers_started)
}

#[tokio::test]
async fn new_peers_get_their_share() {
    let mut view = three();
    view.peers.extend(peers(5).peers);
    add(&mut view, "logs", 1, &[&[1], &[1], &[1], &[2], &[3]]);
    let server = QdrantServer::start(view.clone()).await.unwrap();
    let expected = plan(&view, &Goal::Rebalance, &Limits::default());
    let started = run(&server, &Goal::Rebalance).await.unwrap();
    assert_eq!(started, u64::try_from(expected.transfers()).unwrap(), "{expected}");
    assert_eq!(expected.transfers(), expected.transfers_min);
    for peer in 1..=5 {
        let shards =
            server.view().collections.values().flat_map(|found| found.shards.values().cloned()).collect();
        let held = Vec::from_iter::<Vec<Shard>>(shards);
        let held = held.iter().filter(|shard| shard.replicas.contains_key(&peer)).count();
        assert!((2..=3).contains(&held), "peer {peer} holds {held}");
    }
    assert_eq!(server.transfers_peak(), 2, "as many as allowed, no more");
    assert_eq!(run(&server, &Goal::Rebalance).await.unwrap(), 0, "nothing is left to do");
    let cluster = QdrantCluster::new(options(&server, Limits::default())).unwrap();
    let upkeep = QdrantUpkeep::new(cluster, Goal::Rebalance, Duration::from_secs(3600));
    let report = upkeep.run(&context()).await.unwrap();
    assert!(report.summary.starts_with("0 transfers started"), "{report:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_drained_peer_is_out_even_the_leader() {
    let server = QdrantServer::start({
        let mut view = three();
        view.peers.extend(peers(4).peers);
        view
    })
    .await
    .unwrap();
    assert_eq!(run(&server, &Goal::drain([1])).await.unwrap(), 3);
    assert_eq!(server.view().peers.keys().copied().collect::<Vec<_>>(), [2, 3, 4]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_lost_is_replaced_and_the_dead_replicas_go() {
    let server = QdrantServer::start(three()).await.unwrap();
    server.kill(3, true);
    let error = run(&server, &Goal::Rebalance).await.unwrap_err();
    assert!(error.to_string().contains("repair replication first"), "{error}");
    assert_eq!(run(&server, &Goal::Repair).await.unwrap(), 2, "both of the shards that peer 3 held");
    assert!(!server.view().holds_replicas(3));
    server.revive(3);
    assert_eq!(run(&server, &Goal::Rebalance).await.unwrap(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_dead_replica_is_filled_where_it_is() {
    let server = QdrantServer::start(three()).await.unwrap();
    server.kill(3, true);
    server.revive(3);
    assert_eq!(run(&server, &Goal::Repair).await.unwrap(), 2);
    assert_eq!(server.view(), three(), "as before");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_said_and_nothing_is_moved() {
    let server = QdrantServer::start(three()).await.unwrap();
    let error = run(&server, &Goal::drain([2, 3])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "drain peers 2, 3: shard 0 of \"docs\" wants 2 replicas and 1 peers can hold one (and 3 more); \
         add peers, or lower the collection's replication factor and repeat"
    );
    assert_eq!(server.view(), three());
    let lone = QdrantOptions::new([server.endpoint(1)]);
    let plan = QdrantCluster::new(lone).unwrap().plan(&Goal::drain([1])).await.unwrap();
    assert_eq!(
        plan.to_string(),
        "not possible: peer 1, which answers, should leave; name the URL of a peer that stays"
    );
    server.stop().await;
}

#[tokio::test]
async fn stalled_transfers_are_aborted_and_started_again() {
    let mut view = three();
    add(&mut view, "more", 1, &[&[1], &[1], &[1]]);
    let server = QdrantServer::start(view).await.unwrap();
    server.set_chaos(Some(QdrantChaos::new(7, 0, 2, 0)));
    let cluster = QdrantCluster::new(options(&server, Limits::default())).unwrap();
    // Half of all steps go wrong: it gives up on one of them, and says so.
    let error = cluster.run(&Goal::Rebalance, &context()).await.unwrap_err();
    assert!(error.to_string().contains("attempts have not brought it about"), "{error}");
    server.set_chaos(None);
    run(&server, &Goal::Rebalance).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_a_persons_matter_and_does_not_show() {
    let server = QdrantServer::start(three()).await.unwrap();
    server.require_key("right");
    let cluster =
        |key: &str| QdrantCluster::new(options(&server, Limits::default()).with_api_key(key)).unwrap();
    let error = cluster("hunter2").view().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let shown = format!("{} {:?}", error.full(), cluster("hunter2"));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(cluster("right").view().await.unwrap().collections, three().collections);
    for (url, part) in
        [("ftp://a", "scheme"), ("http://user:hunter2@a", "credentials"), ("nowhere", "cannot be read")]
    {
        let error = QdrantCluster::new(QdrantOptions::new([url])).unwrap_err();
        assert!(error.to_string().contains(part) && !error.full().contains("hunter2"), "{error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_cancelled_run_stops_before_its_next_request() {
    let server = QdrantServer::start(three()).await.unwrap();
    let context = context();
    context.cancel.cancel();
    let cluster = QdrantCluster::new(options(&server, Limits::default())).unwrap();
    let error = cluster.run(&Goal::drain([3]), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(server.view(), three());
    server.stop().await;
}

/// A cluster in which something is not as it should be.
fn random(entropy: &SeededEntropy) -> ClusterView {
    let count = 3 + entropy.below(3);
    let mut view = peers(count);
    for number in 0..1 + entropy.below(3) {
        let factor = 1 + entropy.below(3.min(count - 1));
        let crowd = (factor + entropy.below(3)).min(count);
        let mut collection = Collection {
            replication_factor: u32::try_from(factor).unwrap(),
            write_consistency_factor: 1,
            ..Collection::default()
        };
        for shard in 0..2 + u32::try_from(entropy.below(5)).unwrap() {
            let wanted = if entropy.below(5) == 0 { factor.max(2) - 1 } else { factor };
            let mut found = Shard::default();
            while u64::try_from(found.replicas.len()).unwrap() < wanted {
                let dead = !found.replicas.is_empty() && entropy.below(8) == 0;
                let state = if dead { ReplicaState::Dead } else { ReplicaState::Active };
                found.replicas.entry(1 + entropy.below(crowd)).or_insert(state);
            }
            collection.shards.insert(shard, found);
        }
        view.collections.insert(format!("c{number}"), collection);
    }
    view
}

fn random_goal(entropy: &SeededEntropy, view: &ClusterView) -> Goal {
    match entropy.below(3) {
        0 => Goal::Rebalance,
        1 => Goal::Repair,
        _ => Goal::drain([1 + entropy.below(u64::try_from(view.peers.len()).unwrap())]),
    }
}

/// Far more polls than any run needs.
const POLLS_MAX: u64 = 200_000;

/// Several runs in a row, each killed somewhere, while requests, transfers and peers fail; then the faults end, and
/// what is left heals.
async fn survive(seed: u64) {
    let entropy = SeededEntropy::new(seed);
    let view = random(&entropy);
    let goal = random_goal(&entropy, &view);
    let limits = Limits::new(1 + usize::try_from(entropy.below(3)).unwrap(), 1);
    let server = QdrantServer::start(view).await.unwrap();
    server.finish_after(1 + u32::try_from(entropy.below(3)).unwrap());
    server.watch_limits(limits);
    server.set_chaos(Some(QdrantChaos::new(seed, 12, 12, 25)));
    // It keeps nothing between two runs, so that each is as good as a new process.
    let cluster = QdrantCluster::new(options(&server, limits)).unwrap();
    for _ in 0..10 {
        let context = context();
        let polls = 1 + entropy.below(100);
        let done = Doomed(Box::pin(cluster.run(&goal, &context)), polls).await;
        assert_eq!(server.violations(), Vec::<String>::new(), "seed {seed}, {goal}");
        if matches!(done, Some(Ok(_))) {
            break;
        }
    }
    server.set_chaos(None);
    for peer in server.view().peers.into_keys() {
        server.revive(peer);
    }
    for goal in [Goal::Repair, goal] {
        let context = context();
        let done = Doomed(Box::pin(cluster.run(&goal, &context)), POLLS_MAX).await;
        let end = server.view();
        let left = plan(&end, &goal, &limits);
        match done.unwrap_or_else(|| panic!("seed {seed}: {goal} does not end:\n{left}")) {
            Ok(_) => assert!(left.is_reached(), "seed {seed}: {goal}\n{left}"),
            Err(error) => {
                let hindered = left.steps.is_empty() && !left.obstacles.is_empty();
                assert!(hindered && error.kind() == ErrorKind::Unsupported, "seed {seed}: {error}\n{left}");
            }
        }
        assert_eq!(server.violations(), Vec::<String>::new(), "seed {seed}, {goal}");
    }
    server.stop().await;
}

/// Clusters in CI, half of them in each test.
const RUNS: u64 = 100;

/// Every second seed from `first` on, in all as many as `ALFRED_OPS_QDRANT_RUNS` says, or the one in
/// `ALFRED_OPS_QDRANT_SEED`.
async fn survive_all(first: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = number("ALFRED_OPS_QDRANT_SEED") {
        return pin!(survive(seed)).await;
    }
    for seed in (first..number("ALFRED_OPS_QDRANT_RUNS").unwrap_or(RUNS)).step_by(2) {
        pin!(survive(seed)).await;
    }
}

#[tokio::test]
async fn runs_killed_anywhere_among_faults_do_no_harm_and_heal_even_seeds() {
    survive_all(0).await;
}

#[tokio::test]
async fn runs_killed_anywhere_among_faults_do_no_harm_and_heal_odd_seeds() {
    survive_all(1).await;
}

#[tokio::test]
async fn progress_counts_the_steps_and_a_second_executor_finds_nothing_to_do() {
    let mut view = three();
    view.peers.extend(peers(4).peers);
    let server = QdrantServer::start(view).await.unwrap();
    let cluster = QdrantCluster::new(options(&server, Limits::default())).unwrap();
    let first = context();
    let report = cluster.run(&Goal::drain([3]), &first).await.unwrap();
    assert_eq!((report.transfers_started, report.peers_removed), (2, 1));
    let state = first.progress.state();
    assert_eq!((state.phase.as_ref(), state.done, state.total), ("drain peers 3", 3, Some(3)));
    assert_eq!(cluster.run(&Goal::drain([3]), &context()).await.unwrap(), QdrantReport::default());
    server.stop().await;
}

#[tokio::test]
async fn transfers_of_others_are_waited_for_and_count() {
    let mut view = three();
    view.peers.extend(peers(4).peers);
    let server = QdrantServer::start(view).await.unwrap();
    server.watch_limits(Limits::new(1, 1));
    post(&server, r#"{"move_shard": {"shard_id": 0, "from_peer_id": 1, "to_peer_id": 4}}"#).await;
    let cluster = QdrantCluster::new(options(&server, Limits::new(1, 1))).unwrap();
    let plan = cluster.plan(&Goal::Rebalance).await.unwrap();
    let wait = "1. round 1: wait for the replica of shard 0 of \"docs\" on peer 4: its transfer is under way";
    assert!(plan.to_string().starts_with(wait) && plan.startable().count() == 0, "{plan}");
    let report = cluster.run(&Goal::Rebalance, &context()).await.unwrap();
    assert_eq!(report.transfers_started, 1, "it takes two, and one was under way");
    assert_eq!(server.violations(), Vec::<String>::new());
    server.stop().await;
}

#[tokio::test]
async fn what_hurts_is_taken_by_the_server_and_seen_by_its_watch() {
    let server = QdrantServer::start(three()).await.unwrap();
    post(&server, r#"{"replicate_shard": {"shard_id": 0, "from_peer_id": 1, "to_peer_id": 2}}"#).await;
    post(&server, r#"{"drop_replica": {"shard_id": 1, "peer_id": 2}}"#).await;
    assert_eq!(
        server.violations(),
        [
            "shard 0 of \"docs\" from peer 1 to peer 2: it has a replica already",
            "start of shard 0 of \"docs\" from peer 1 to peer 2: shard 0 of \"docs\" serves from 1 replicas, not 2; \
             its floor is 2",
            "drop of shard 1 on peer 2: shard 1 of \"docs\" serves from 1 replicas, not 2; its floor is 2",
        ]
    );
    server.stop().await;
}

/// Somebody else's request.
async fn post(server: &QdrantServer, body: &'static str) {
    let url = format!("{}/collections/docs/cluster", server.endpoint(1));
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}
