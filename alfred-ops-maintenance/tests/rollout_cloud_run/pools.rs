//! What worker pools have and services do not: a number of instances.

use alfred_ops_core::ErrorKind;
use alfred_ops_maintenance::{
    CloudRunRollout, CloudRunWorkerPoolRollout, Rollout, RolloutEnd, RolloutPhase, RolloutTarget as _,
    TrafficSplit, Verdict,
};
use alfred_ops_scaling::CloudRunOptions;
use alfred_ops_scaling::testing::servers::CloudRunServer;
use serde_json::Value;

use super::house::{CANDIDATE, House, Kind, STABLE, policy, release, shares};

const NAME: &str = "projects/alfred/locations/europe-west1/workerPools/api";

async fn server(instances: u32) -> CloudRunServer {
    let server = Kind::Pool.server(Kind::Pool.latest()).await;
    server.set_instances(NAME, instances);
    server
}

fn note(server: &CloudRunServer) -> Value {
    server.document(NAME).unwrap()["annotations"]["alfred-ops/split"].clone()
}

#[tokio::test]
async fn whoever_has_a_share_has_an_instance() {
    for (instances, first) in [(4, 25), (3, 34), (2, 50), (11, 10), (5, 20)] {
        let server = server(instances).await;
        let mut house = House::begun(Kind::Pool, &server, |_| Verdict::Pass).await;
        assert_eq!(house.run_until(|server| server.shares(NAME).len() == 2).await, None);
        assert_eq!(server.shares(NAME), shares(&[(STABLE, 100 - first), (CANDIDATE, first)]), "{instances}");
        assert!(server.instances_of(NAME).values().all(|count| *count > 0), "{instances}");
        let view = house.rollout.target().observe().await.unwrap();
        assert_eq!(view.split, Some(TrafficSplit::canary(STABLE, CANDIDATE, 10)), "what was meant");
        assert_eq!(note(&server).is_null(), first == 10, "it is written down where another was given");
        assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() }, "{instances}");
        assert_eq!(server.shares(NAME), shares(&[(CANDIDATE, 100)]));
        let annotations = &server.document(NAME).unwrap()["annotations"];
        assert_eq!(annotations, &serde_json::json!({ "note": "mine" }), "only what was there is left");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_change_of_what_was_given_is_a_persons() {
    let server = server(4).await;
    let mut house = House::begun(Kind::Pool, &server, |_| Verdict::Pass).await;
    assert_eq!(house.run_until(|server| server.shares(NAME).len() == 2).await, None);
    Kind::Pool.change_split(&server, &Kind::Pool.to(&[(STABLE, 60), (CANDIDATE, 40)]));
    let end = house.run().await;
    let said = "the traffic is 60 % to api-00001-aab, 40 % to api-2";
    assert!(matches!(&end, RolloutEnd::HandedBack { reason } if reason.contains(said)), "{end:?}");
    assert_eq!(server.shares(NAME), shares(&[(STABLE, 60), (CANDIDATE, 40)]));
    server.stop().await;
}

#[tokio::test]
async fn another_number_of_instances_is_nobodys_fault() {
    let server = server(20).await;
    let mut house = House::begun(Kind::Pool, &server, |_| Verdict::Pass).await;
    for instances in [3, 30, 2] {
        let shared = server.shares(NAME);
        house.run_until(|server| server.shares(NAME) != shared).await;
        server.set_instances(NAME, instances);
    }
    let end = house.run().await;
    assert_eq!(end, RolloutEnd::Promoted { left: String::new() });
    assert_eq!((server.shares(NAME), server.instances(NAME)), (shares(&[(CANDIDATE, 100)]), Some(2)));
    server.stop().await;
}

/// Runs a rollout to its end, though the platform has too few instances for its splits. Tells how often that was refused.
async fn run_refused(house: &House<'_>, after: impl Fn(usize)) -> (RolloutEnd, usize) {
    let mut refused = 0;
    loop {
        if let Err(error) = house.rollout.run(&house.context).await {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let said = "instances: 1 are too few for 2 revisions";
            assert!(error.to_string().contains(said) && error.remedy().is_some(), "{error}");
            refused += 1;
            assert!(refused < 200, "nobody judges it any more");
            after(refused);
        }
        let state = house.rollout.book(&house.context).state().await.unwrap().unwrap();
        if let RolloutPhase::Ended(end) = state.phase {
            return (end, refused);
        }
        house.clock.advance(std::time::Duration::from_secs(10));
    }
}

#[tokio::test]
async fn one_instance_is_not_split_and_goes_over_whole() {
    let server = server(1).await;
    let mut house = House::begun(Kind::Pool, &server, |_| Verdict::Pass).await;
    let (end, refused) = run_refused(&house, |_| {}).await;
    let said = "could not give 90 % to api-00001-aab, 10 % to api-2";
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains(said)), "{end:?}");
    assert!(refused > 10, "it is told at every run");
    assert_eq!(server.shares(NAME), shares(&[(STABLE, 100)]));

    let mut whole = policy();
    whole.steps = vec![100];
    let target = Kind::Pool.target(&server).await;
    house.rollout = Rollout::builder("whole", target, std::sync::Arc::new(house.store.clone()))
        .policy(whole)
        .analysis(alfred_ops_maintenance::ClosureAnalysis::new("errors", |_| async { Ok(Verdict::Pass) }))
        .build()
        .unwrap();
    house.rollout.begin(&house.context, release()).await.unwrap();
    assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() });
    server.stop().await;
}

#[tokio::test]
async fn a_bad_candidate_goes_back_though_its_next_split_cannot_be_made() {
    let server = server(20).await;
    let bad = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_bad = std::sync::Arc::clone(&bad);
    let verdict = move |_| match is_bad.load(std::sync::atomic::Ordering::SeqCst) {
        true => Verdict::Fail("errors".to_owned()),
        false => Verdict::Pass,
    };
    let mut house = House::begun(Kind::Pool, &server, verdict).await;
    assert_eq!(house.run_until(|server| server.shares(NAME).len() == 2).await, None);
    server.set_instances(NAME, 1);
    let turns_bad = |refused| bad.store(refused > 3, std::sync::atomic::Ordering::SeqCst);
    let (end, refused) = run_refused(&house, turns_bad).await;
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("errors")), "{end:?}");
    assert!(refused > 3);
    assert_eq!(server.shares(NAME), shares(&[(STABLE, 100)]));
    server.stop().await;
}

#[tokio::test]
async fn percents_and_options_say_what_is_wrong() {
    let split = TrafficSplit::canary(STABLE, CANDIDATE, 5);
    let given = CloudRunWorkerPoolRollout::percents(&split, 4).unwrap();
    assert_eq!(given, TrafficSplit::canary(STABLE, CANDIDATE, 25));
    let error = CloudRunWorkerPoolRollout::percents(&split, 0).unwrap_err();
    assert!(error.to_string().contains("instances: 0 are too few for 2 revisions"), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let service = CloudRunOptions::new("alfred", "europe-west1", "api").unwrap();
    let pool = CloudRunOptions::worker_pool("alfred", "europe-west1", "api").unwrap();
    for error in [
        CloudRunWorkerPoolRollout::connect(service).await.map(drop).unwrap_err(),
        CloudRunRollout::connect(pool).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
