//! Worker pools whose workers hold leases.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{
    EntropyExt as _, ErrorKind, MemoryStateStore, SeededEntropy, SimulatedClock, StateStore as _, Write,
};
use alfred_ops_maintenance::{Release, RolloutEnd, RolloutTarget as _, TrafficSplit, UnderWay, Verdict};
use alfred_ops_scaling::testing::servers::CloudRunServer;
use alfred_ops_scaling::{DrainLeases, Work};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::fleet::Fleet;
use super::house::{CANDIDATE, House, INSTANCES, Kind, STABLE, image, pool, release, shares};

const NAME: &str = "projects/alfred/locations/europe-west1/workerPools/api";

/// A rollout of a pool whose workers hold leases, begun.
async fn house(
    server: &CloudRunServer,
    verdict: impl Fn(DateTime<Utc>) -> Verdict + Send + Sync + 'static,
) -> (House<'_>, DrainLeases) {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let store = MemoryStateStore::new(clock.shared());
    let leases = DrainLeases::new(Arc::new(store.clone()), "drain/api", clock.shared());
    let target = Arc::new(pool(server).await.with_leases(leases.clone()));
    let house = House::of(Kind::Pool, server, clock, store, target, verdict);
    house.rollout.begin(&house.context, release()).await.unwrap();
    (house, leases)
}

fn is_settling(server: &CloudRunServer) -> bool {
    server.document(NAME).unwrap()["reconciling"] == true
}

/// Looks until the platform has carried the split out, and runs once more.
async fn settled(house: &mut House<'_>, server: &CloudRunServer) {
    while is_settling(server) {
        house.rollout.target().observe().await.unwrap();
    }
    house.clock.advance(Duration::from_secs(10));
    assert_eq!(house.run_once().await, None);
}

async fn live(seed: u64) -> (RolloutEnd, usize) {
    let random = SeededEntropy::new(seed);
    let bad_from = if random.below(2) == 0 { i64::MAX } else { i64::try_from(random.below(400)).unwrap() };
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    server.finish_after(u32::try_from(random.below(12)).unwrap());
    server.set_instances(NAME, u32::try_from(2 + random.below(9)).unwrap());
    let (mut house, leases) = house(&server, move |now| match now.timestamp() < bad_from {
        true => Verdict::Pass,
        false => Verdict::Fail("errors".to_owned()),
    })
    .await;
    let mut fleet = Fleet::new(leases, &house.clock, seed, random.below(3) > 0);
    fleet.follow(&server, false);
    for _ in 0..2_000 {
        fleet.work().await;
        if let Some(end) = house.run_once().await {
            fleet.follow(&server, false);
            let winner = if matches!(end, RolloutEnd::Promoted { .. }) { CANDIDATE } else { STABLE };
            assert_eq!(server.shares(NAME), shares(&[(winner, 100)]), "seed {seed}: {end:?}");
            assert_eq!(fleet.counts().len(), 1, "seed {seed}: {end:?}");
            server.stop().await;
            return (end, fleet.begun);
        }
        // It takes a while to stop anybody, and longer to say so.
        if !is_settling(&server) || random.below(2) == 0 {
            fleet.follow(&server, false);
        }
        fleet.work().await;
        house.clock.advance(Duration::from_secs(10));
    }
    panic!("seed {seed}: it does not end");
}

#[tokio::test]
async fn nobody_who_works_is_stopped_in_any_history() {
    let (mut promoted, mut back, mut works) = (0, 0, 0);
    for seed in 0..20 {
        let (end, begun) = live(seed).await;
        works += begun;
        match end {
            RolloutEnd::Promoted { left } => {
                assert_eq!(left, "", "seed {seed}");
                promoted += 1;
            }
            RolloutEnd::RolledBack { .. } => back += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(promoted > 3 && back > 3 && works > 500, "{promoted} promoted, {back} back, {works} works");
}

/// Begins work of an instance of a revision, for a time.
async fn begin(leases: &DrainLeases, revision: &str, seconds: u64) -> Option<Work> {
    match leases.worker_of(revision, "instance").begin(Duration::from_secs(seconds)).await {
        Ok(work) => Some(work),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            None
        }
    }
}

async fn may(leases: &DrainLeases, revision: &str) -> bool {
    match begin(leases, revision, 1).await {
        Some(work) => work.end().await.map(|()| true).unwrap(),
        None => false,
    }
}

#[tokio::test]
async fn a_lease_without_end_holds_the_split_and_the_pause_ends_with_its_host() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases) = house(&server, |_| Verdict::Pass).await;
    let work = begin(&leases, STABLE, 30).await.unwrap();
    let all = shares(&[(STABLE, 100)]);
    for _ in 0..100 {
        assert!(work.extend(Duration::from_secs(30)).await.unwrap());
        assert_eq!(house.run_once().await, None);
        assert_eq!(server.shares(NAME), all);
        house.clock.advance(Duration::from_secs(10));
    }
    // The candidate starts long since, and is not late: it waits for work that ends.
    assert!(!may(&leases, STABLE).await, "its workers begin nothing more");
    let view = house.rollout.target().observe().await.unwrap();
    assert!(
        matches!(&view.under_way, Some(UnderWay::Waits(what)) if what.starts_with("1 workers have leases")),
        "{view:?}"
    );
    assert_eq!(view.split, Some(TrafficSplit::all(STABLE)));
    // The host dies.
    house.clock.advance(Duration::from_secs(15));
    assert!(work.extend(Duration::from_secs(200)).await.unwrap());
    assert!(!may(&leases, STABLE).await);
    house.clock.advance(Duration::from_secs(45));
    assert!(may(&leases, STABLE).await, "nobody is kept from work by the dead");
    // Another host goes on where it stopped.
    assert_eq!(house.run_once().await, None);
    assert!(!may(&leases, STABLE).await);
    work.end().await.unwrap();
    assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() });
    assert!(may(&leases, CANDIDATE).await);
    let steps = [
        &[(STABLE, 100)][..],
        &[(STABLE, 90), (CANDIDATE, 10)],
        &[(STABLE, 50), (CANDIDATE, 50)],
        &[(CANDIDATE, 100)],
    ];
    assert_eq!(house.served, steps.map(shares));
    server.stop().await;
}

/// A rollout that is to give the candidate everything, and waits for a worker of the stable revision.
async fn held(server: &CloudRunServer) -> (House<'_>, DrainLeases, Work) {
    let (mut house, leases) = house(server, |_| Verdict::Pass).await;
    let half = shares(&[(STABLE, 50), (CANDIDATE, 50)]);
    assert_eq!(house.run_until(|server| server.shares(NAME) == half).await, None);
    let work = loop {
        house.clock.advance(Duration::from_secs(10));
        assert_eq!(house.run_once().await, None);
        if let Some(work) = begin(&leases, STABLE, 20_000).await {
            break work;
        }
    };
    while house.rollout.target().observe().await.unwrap().under_way.is_none() {
        house.clock.advance(Duration::from_secs(10));
        assert_eq!(house.run_once().await, None);
    }
    (house, leases, work)
}

#[tokio::test]
async fn only_the_revision_that_shrinks_rests() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases, work) = held(&server).await;
    assert!(may(&leases, CANDIDATE).await);
    assert!(!may(&leases, STABLE).await);
    let stranger = leases.worker("worker-7").begin(Duration::from_secs(1)).await;
    assert_eq!(stranger.unwrap_err().kind(), ErrorKind::Conflict, "it may be of any revision");
    // Who works for the candidate is in nobody's way.
    let other = begin(&leases, CANDIDATE, 20_000).await.unwrap();
    work.end().await.unwrap();
    assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() });
    other.end().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn the_way_back_waits_for_the_candidate_alone() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases, work) = held(&server).await;
    let own = begin(&leases, CANDIDATE, 20_000).await.unwrap();
    house.rollout.book(&house.context).abort("enough").await.unwrap();
    for _ in 0..20 {
        assert_eq!(house.run_once().await, None);
        house.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(server.shares(NAME), shares(&[(STABLE, 50), (CANDIDATE, 50)]));
    assert!(may(&leases, STABLE).await && !may(&leases, CANDIDATE).await, "the other way round now");
    own.end().await.unwrap();
    let end = house.run().await;
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("enough")), "{end:?}");
    assert_eq!(server.shares(NAME), shares(&[(STABLE, 100)]));
    work.end().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_spared_while_the_platform_carries_a_former_split_out() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases) = house(&server, |_| Verdict::Pass).await;
    let canary = shares(&[(STABLE, 90), (CANDIDATE, 10)]);
    assert_eq!(house.run_until(|server| server.shares(NAME) == canary).await, None);
    let own = begin(&leases, CANDIDATE, 20_000).await.unwrap();
    server.finish_after(300);
    let half = shares(&[(STABLE, 50), (CANDIDATE, 50)]);
    assert_eq!(house.run_until(|server| server.shares(NAME) == half).await, None);
    house.rollout.book(&house.context).abort("enough").await.unwrap();
    for _ in 0..5 {
        house.clock.advance(Duration::from_secs(10));
        assert_eq!(house.run_once().await, None);
        assert!(is_settling(&server) && !may(&leases, STABLE).await && !may(&leases, CANDIDATE).await);
    }
    settled(&mut house, &server).await;
    assert!(may(&leases, STABLE).await, "it is only the candidate that loses instances now");
    own.end().await.unwrap();
    server.finish_after(0);
    assert!(matches!(house.run().await, RolloutEnd::RolledBack { .. }));
    server.stop().await;
}

#[tokio::test]
async fn a_platform_that_never_settles_has_work_rest_for_a_while_only() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases) = house(&server, |_| Verdict::Pass).await;
    server.finish_after(1_000_000);
    let canary = shares(&[(STABLE, 90), (CANDIDATE, 10)]);
    assert_eq!(house.run_until(|server| server.shares(NAME) == canary).await, None);
    let mut rested = 0;
    while !may(&leases, STABLE).await {
        rested += 10;
        assert!(rested < 1_200 && is_settling(&server), "{rested} s");
        house.clock.advance(Duration::from_secs(10));
        assert_eq!(house.run_once().await, None);
    }
    assert!(rested > 600, "{rested} s");
    server.stop().await;
}

#[tokio::test]
async fn a_split_by_hand_while_work_rests_ends_the_rollout_and_the_pause() {
    for rest in [60, 0] {
        a_split_by_hand(rest).await;
    }
}

/// Somebody splits the pool, and a later rollout begins after so many seconds.
async fn a_split_by_hand(rest: u64) {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases, work) = held(&server).await;
    Kind::Pool.change_split(&server, &Kind::Pool.to(&[(STABLE, 70), (CANDIDATE, 30)]));
    let left = server.document(NAME).unwrap()["etag"].clone();
    house.clock.advance(Duration::from_secs(10));
    let end = house.run_once().await;
    assert!(
        matches!(&end, Some(RolloutEnd::HandedBack { reason }) if reason.contains("30 % to api-2")),
        "{end:?}"
    );
    assert_eq!(server.document(NAME).unwrap()["etag"], left);
    house.clock.advance(Duration::from_secs(rest));
    assert_eq!(may(&leases, STABLE).await, rest == 60);
    drop(work);

    // What it waited for excuses no candidate of a later one from being late.
    Kind::Pool.change_split(&server, &Kind::Pool.to(&[(STABLE, 100)]));
    server.start_after(100_000);
    house.rollout.begin(&house.context, Release::new("api-3", image(3)).unwrap()).await.unwrap();
    let end = house.run().await;
    assert!(
        matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("api-3 is starting")),
        "{end:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn the_pause_stands_until_the_platform_has_settled() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (mut house, leases) = house(&server, |_| Verdict::Pass).await;
    server.finish_after(300);
    let canary = shares(&[(STABLE, 90), (CANDIDATE, 10)]);
    assert_eq!(house.run_until(|server| server.shares(NAME) == canary).await, None);
    for _ in 0..20 {
        assert!(is_settling(&server) && !may(&leases, STABLE).await);
        house.clock.advance(Duration::from_secs(10));
        assert_eq!(house.run_once().await, None);
    }
    assert_eq!(server.shares(NAME), canary, "nothing more is done meanwhile");
    settled(&mut house, &server).await;
    assert!(may(&leases, STABLE).await);
    server.stop().await;
}

#[tokio::test]
async fn a_share_does_not_fall_while_nobody_can_tell_who_works() {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    let (house, _) = house(&server, |_| Verdict::Pass).await;
    let view = house.rollout.target().observe().await.unwrap();
    house.rollout.target().create_candidate(&view.version, STABLE, &release()).await.unwrap();
    let view = house.rollout.target().observe().await.unwrap();
    // The document is spoilt: the leases cannot be read.
    house.store.put(&Write::create("drain/api", json!([1]))).await.unwrap();
    let split = TrafficSplit::all(CANDIDATE);
    house.rollout.target().set_traffic(&view.version, &split).await.unwrap_err();
    assert_eq!(server.shares(NAME), shares(&[(STABLE, 100)]));
    assert_eq!(server.instances(NAME), Some(INSTANCES));
    server.stop().await;
}
