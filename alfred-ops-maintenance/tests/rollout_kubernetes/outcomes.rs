//! How rollouts end that nobody meddles with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::ErrorKind;
use alfred_ops_maintenance::{
    KubernetesRollout, Readiness, RolloutEnd, RolloutPhase, RolloutTarget as _, TrafficSplit, UnderWay,
    Verdict,
};
use chrono::DateTime;
use serde_json::json;

use super::house::{House, SPACE, only, policy, release};

#[tokio::test]
async fn a_good_release_goes_out_replica_by_replica() {
    let house = House::new(10, |_| Verdict::Pass).await;
    house.server.modify("Deployment", SPACE, "api-1", |object| {
        object["metadata"]["ownerReferences"] = json!([{ "kind": "App", "name": "api", "uid": "1" }]);
        object["metadata"]["annotations"] = json!({
            "kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "bots", "meta.helm.sh/release-name": "api",
        });
        object["spec"]["paused"] = json!(true);
        object["spec"]["minReadySeconds"] = json!(3);
    });
    let rollout = house.begun().await;
    assert_eq!(house.finish(&rollout).await, RolloutEnd::Promoted { left: String::new() });
    assert_eq!(house.deployments(), only("api-2", 10));
    assert_eq!(
        house.shares(),
        json!({ "split": { "api-2": 100 }, "total": 10, "replicas": { "api-2": 10 } })
    );
    assert_eq!(house.server.history("Deployment", SPACE, "api-2"), [1, 4, 5, 8, 10]);

    let made = house.server.object("Deployment", SPACE, "api-2").unwrap();
    let metadata = &made["metadata"];
    assert!(metadata["ownerReferences"].is_null() && made["spec"]["paused"].is_null(), "{made}");
    assert_eq!(
        metadata["annotations"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["alfred-ops/change", "team"]
    );
    assert_eq!(made["spec"]["minReadySeconds"], 3);
    let labels = json!({ "app": "api-1", "alfred-ops/revision": "api-2" });
    assert_eq!(
        (&made["spec"]["selector"]["matchLabels"], &made["spec"]["template"]["metadata"]["labels"]),
        (&labels, &labels)
    );
    assert_eq!(made["spec"]["template"]["spec"]["containers"][0]["image"], "alfred/bot:2");
    house.server.stop().await;
}

#[tokio::test]
async fn the_next_release_follows_one_of_ours() {
    let house = House::new(3, |_| Verdict::Pass).await;
    house.finish(&house.begun().await).await;
    let rollout = house.rollout();
    let next = alfred_ops_maintenance::Release::new("api-3", "alfred/bot:3").unwrap();
    rollout.begin(&house.context, next).await.unwrap();
    assert_eq!(house.finish(&rollout).await, RolloutEnd::Promoted { left: String::new() });
    assert_eq!(house.deployments(), only("api-3", 3));
    house.server.stop().await;
}

#[tokio::test]
async fn a_bad_release_goes_back_within_two_intervals() {
    for (from, total) in [(1, 10), (100, 10), (200, 10), (60, 1), (150, 2)] {
        let bad = Arc::new(Mutex::new(None));
        let first = Arc::clone(&bad);
        let house = House::new(total, move |now| {
            if now < DateTime::from_timestamp(from, 0).unwrap() {
                return Verdict::Pass;
            }
            first.lock().unwrap().get_or_insert(now);
            Verdict::Fail("errors".to_owned())
        })
        .await;
        let rollout = house.begun().await;
        let mut turned = None;
        while house.end().await.is_none() {
            rollout.run(&house.context).await.unwrap();
            house.check_serving();
            let state = house.book().state().await.unwrap().unwrap();
            if matches!(state.phase, RolloutPhase::RollingBack { .. }) {
                turned.get_or_insert(house.context.now());
            }
            house.pass();
        }
        let took = turned.unwrap_or_else(|| house.context.now()) - bad.lock().unwrap().unwrap();
        assert!(
            took.to_std().unwrap() <= policy().interval * 2,
            "it went on for {took} after the first bad sample"
        );
        assert!(matches!(house.end().await, Some(RolloutEnd::RolledBack { .. })));
        assert_eq!(house.deployments(), only("api-1", total));
        house.server.stop().await;
    }
}

#[tokio::test]
async fn nothing_is_promoted_without_data() {
    let house = House::new(4, |_| Verdict::NoData("nothing".to_owned())).await;
    let end = house.finish(&house.begun().await).await;
    assert!(matches!(end, RolloutEnd::RolledBack { .. }), "{end:?}");
    assert_eq!(
        house.server.history("Deployment", SPACE, "api-2"),
        [1, 0],
        "it had its first share and no more"
    );
    house.server.stop().await;
}

#[tokio::test]
async fn a_release_that_never_starts_goes_back_when_its_deadline_or_ours_passes() {
    for told in [true, false] {
        let house = House::new(4, |_| Verdict::Pass).await;
        house.server.break_image("alfred/bot:2");
        let rollout = house.begun().await;
        for _ in 0..5 {
            rollout.run(&house.context).await.unwrap();
            house.pass();
        }
        if told {
            house.server.exceed_progress_deadlines();
        }
        let RolloutEnd::RolledBack { reason } = house.finish(&rollout).await else {
            panic!("it is promoted")
        };
        let wanted =
            if told { "has timed out progressing" } else { "not ready within 600s: api-2 is starting" };
        assert!(reason.contains(wanted), "{reason}");
        assert_eq!(house.deployments(), only("api-1", 4));
        assert_eq!(
            house.server.history("Deployment", SPACE, "api-1"),
            [0_u32; 0],
            "the stable one was left alone"
        );
        house.server.stop().await;
    }
}

#[tokio::test]
async fn a_release_that_cannot_grow_goes_back() {
    let house = House::new(8, |_| Verdict::Pass).await;
    let rollout = house.begun().await;
    house.until_candidate_has(&rollout, 1).await;
    // Its Deployment was complete once, so that no deadline of Kubernetes' own passes.
    house.server.break_image("alfred/bot:2");
    for _ in 0..10 {
        rollout.run(&house.context).await.unwrap();
        house.pass();
    }
    house.server.exceed_progress_deadlines();
    let RolloutEnd::RolledBack { reason } = house.finish(&rollout).await else { panic!("it is promoted") };
    assert!(reason.contains("not there within 600s: 1 of 4 replicas of api-2 serve"), "{reason}");
    assert_eq!(house.deployments(), only("api-1", 8));
    house.server.stop().await;
}

#[tokio::test]
async fn a_split_is_shown_when_all_of_it_serves_and_whoever_calls_again_goes_on() {
    let house = House::new(4, |_| Verdict::Pass).await;
    let target = house.target();
    let view = async || target.observe().await.unwrap();
    let before = view().await;
    assert_eq!((before.split.clone(), before.revisions.len()), (Some(TrafficSplit::all("api-1")), 1));
    target.create_candidate(&before.version, "api-1", &release()).await.unwrap();
    house.server.reconcile();
    assert!(view().await.is_ready("api-2"), "it has no share, and is asked for nothing");
    let taken = target.create_candidate(&before.version, "api-1", &release()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);

    // Of four replicas 5 % are one, of which it is told what it comes to.
    let split = TrafficSplit::canary("api-1", "api-2", 5);
    assert_eq!(KubernetesRollout::replicas(&split, 4).into_values().collect::<Vec<_>>(), [3, 1]);
    target.set_traffic(&before.version, &split).await.unwrap();
    let begun = view().await;
    assert_eq!(begun.split, before.split);
    assert_eq!(begun.under_way, Some(UnderWay::Starts("0 of 1 replicas of api-2 serve".to_owned())));
    assert_eq!(begun.revisions["api-2"].readiness, Readiness::Starting);
    assert!(begun.is_ready("api-1"));
    let stale = target.set_traffic(&before.version, &split).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);
    let traffic = target.retire(&begun.version, "api-2").await.unwrap_err();
    assert_eq!(traffic.kind(), ErrorKind::InvalidInput);

    house.server.reconcile();
    house.server.reconcile();
    target.set_traffic(&begun.version, &split).await.unwrap();
    house.server.reconcile();
    target.set_traffic(&view().await.version, &split).await.unwrap();
    let there = view().await;
    assert_eq!((there.split, there.under_way), (Some(split), None));
    assert_eq!(house.deployments(), [("api-1".to_owned(), 3), ("api-2".to_owned(), 1)]);
    house.server.stop().await;
}

#[tokio::test]
async fn what_a_dead_host_still_sends_meets_another_version() {
    let house = House::new(4, |_| Verdict::Pass).await;
    let target = house.target();
    let version = async || target.observe().await.unwrap().version;
    target.create_candidate(&version().await, "api-1", &release()).await.unwrap();
    house.server.reconcile();
    let seen =
        house.server.object("Deployment", SPACE, "api-2").unwrap()["metadata"]["resourceVersion"].clone();
    // The way back changes no number of the candidate's, and marks it all the same.
    let split = TrafficSplit::canary("api-1", "api-2", 5);
    house.server.deny("patch", "deployments");
    target.set_traffic(&version().await, &split).await.unwrap_err();
    house.server.permit("patch", "deployments");
    target.set_traffic(&version().await, &TrafficSplit::all("api-1")).await.unwrap();
    let late = json!({ "metadata": { "resourceVersion": seen }, "spec": { "replicas": 1 } });
    let deployments =
        alfred_ops_scaling::KubernetesObjects::new(house.cluster(), "apps/v1", "deployments", SPACE).unwrap();
    assert_eq!(deployments.patch("api-2", &late).await.unwrap_err().kind(), ErrorKind::Conflict);
    let view = target.observe().await.unwrap();
    assert_eq!((view.split, view.under_way), (Some(TrafficSplit::all("api-1")), None));
    house.server.stop().await;
}

#[tokio::test]
async fn an_admission_that_gives_fewer_replicas_is_told() {
    let house = House::new(4, |_| Verdict::Pass).await;
    let target = house.target();
    let version = async || target.observe().await.unwrap().version;
    target.create_candidate(&version().await, "api-1", &release()).await.unwrap();
    house.server.clamp_replicas(0);
    let error =
        target.set_traffic(&version().await, &TrafficSplit::canary("api-1", "api-2", 50)).await.unwrap_err();
    assert!(error.full().contains("the cluster made 0 of"), "{}", error.full());
    house.server.stop().await;
}

#[tokio::test]
async fn an_autoscaler_of_a_revision_is_refused_before_anything_is_made() {
    let house = House::new(4, |_| Verdict::Pass).await;
    house.server.add_autoscaler(SPACE, "hpa", ("apps/v1", "Deployment", "api-1"));
    let target = house.target();
    let version = target.observe().await.unwrap().version;
    let error = target.create_candidate(&version, "api-1", &release()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("hpa"), "{error}");
    house.server.deny("list", "deployments");
    let error = target.observe().await.unwrap_err();
    assert!(error.remedy().unwrap().contains(r#"resources: ["deployments"], verbs: ["list"]"#), "{error:?}");
    assert_eq!(house.server.writes(), 0);
    house.server.stop().await;
}

#[tokio::test]
async fn a_pause_rests_and_an_abort_goes_back_in_the_middle_of_a_split() {
    let house = House::new(10, |_| Verdict::Pass).await;
    let rollout = house.begun().await;
    house.until_candidate_has(&rollout, 1).await;
    while house.deployments()[1].1 < 4 {
        rollout.run(&house.context).await.unwrap();
        house.pass();
    }
    let book = house.book();
    assert!(book.pause("lunch").await.unwrap());
    let rests = house.deployments();
    for _ in 0..10 {
        rollout.run(&house.context).await.unwrap();
        house.pass();
    }
    assert_eq!(house.deployments(), rests);
    assert!(house.clock.shared().now() > DateTime::UNIX_EPOCH + Duration::from_secs(100));
    assert!(book.abort("no").await.unwrap());
    let end = house.finish(&rollout).await;
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason == "aborted: no"), "{end:?}");
    assert_eq!(house.deployments(), only("api-1", 10));
    house.server.stop().await;
}
