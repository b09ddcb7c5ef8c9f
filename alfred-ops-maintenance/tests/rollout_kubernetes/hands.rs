//! People who change things in the middle.

use alfred_ops_maintenance::{Release, RolloutEnd, RolloutTarget as _, Verdict};
use alfred_ops_scaling::testing::servers::KubernetesServer;
use serde_json::json;

use super::house::{House, SPACE, only};

/// A change by hand while the candidate has its first share of ten: the rollout ends, says what it found, and touches nothing.
async fn check(change: impl Fn(&KubernetesServer), wanted: &str) {
    let house = House::new(10, |_| Verdict::Pass).await;
    let rollout = house.begun().await;
    house.until_candidate_has(&rollout, 1).await;
    house.pass();
    rollout.run(&house.context).await.unwrap();
    change(&house.server);
    house.server.reconcile();
    let writes = house.server.writes();
    for _ in 0..20 {
        rollout.run(&house.context).await.unwrap();
        house.pass();
    }
    match house.end().await {
        Some(RolloutEnd::HandedBack { reason }) => assert!(reason.contains(wanted), "{reason}"),
        other => panic!("{wanted}: {other:?}"),
    }
    assert_eq!(house.server.writes(), writes, "{wanted}: it is touched nonetheless");
    house.server.stop().await;
}

#[tokio::test]
async fn a_change_by_hand_ends_the_rollout_untouched() {
    let unlike = "no longer split among revisions as configured";
    check(|server| server.set_replicas("Deployment", SPACE, "api-2", 3), unlike).await;
    check(|server| server.set_replicas("Deployment", SPACE, "api-1", 2), unlike).await;
    let annotate = |server: &KubernetesServer, text: &str| {
        server.modify("Service", SPACE, "api", |service| {
            service["metadata"]["annotations"]["alfred-ops/shares"] = json!(text);
        });
    };
    check(|server| annotate(server, "{}"), unlike).await;
    let halves = r#"{"split":{"api-1":50,"api-2":50},"total":10,"replicas":{"api-1":5,"api-2":5}}"#;
    check(|server| annotate(server, halves), unlike).await;
    let moved = r#"{"split":{"api-1":90,"api-2":10},"total":10,"replicas":{"api-1":9,"api-2":1}}"#;
    check(|server| annotate(server, moved), "the traffic is 90 % to api-1, 10 % to api-2").await;
    check(
        |server| {
            server.modify("Service", SPACE, "api", |service| service["metadata"]["annotations"] = json!({}));
        },
        unlike,
    )
    .await;
    check(|server| server.remove("Deployment", SPACE, "api-2"), "api-2 is gone").await;
    check(|server| server.remove("Deployment", SPACE, "api-1"), "api-1 is gone").await;
    let image = |server: &KubernetesServer, name: &str| {
        server.modify("Deployment", SPACE, name, |object| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("alfred/bot:3");
        });
    };
    check(|server| image(server, "api-2"), "api-2 runs alfred/bot:3, not alfred/bot:2").await;
    check(|server| image(server, "api-1"), "api-1 runs alfred/bot:3, not alfred/bot:1").await;
    let third = |server: &KubernetesServer| {
        server.add("Deployment", SPACE, "third", 2);
        server.modify("Deployment", SPACE, "third", |object| {
            object["spec"]["template"]["metadata"]["labels"]["app"] = json!("api-1");
        });
    };
    check(third, unlike).await;
}

#[tokio::test]
async fn the_next_release_goes_out_where_a_person_tidied_up() {
    let house = House::new(4, |_| Verdict::Pass).await;
    let rollout = house.begun().await;
    house.until_candidate_has(&rollout, 2).await;
    house.server.remove("Deployment", SPACE, "api-2");
    house.pass();
    rollout.run(&house.context).await.unwrap();
    match house.end().await.unwrap() {
        RolloutEnd::HandedBack { reason } => assert!(reason.contains("api-2 is gone"), "{reason}"),
        other => panic!("{other:?}"),
    }
    house.server.set_replicas("Deployment", SPACE, "api-1", 4);
    house.pass();
    house.pass();
    let next = Release::new("api-3", "alfred/bot:3").unwrap();
    rollout.begin(&house.context, next).await.unwrap();
    assert_eq!(house.finish(&rollout).await, RolloutEnd::Promoted { left: String::new() });
    assert_eq!(house.deployments(), only("api-3", 4));
    house.server.stop().await;
}

#[tokio::test]
async fn a_number_that_leaves_the_shares_as_they_are_is_taken_over() {
    let house = House::new(10, |_| Verdict::Pass).await;
    let rollout = house.begun().await;
    house.until_candidate_has(&rollout, 1).await;
    house.pass();
    rollout.run(&house.context).await.unwrap();
    house.server.set_replicas("Deployment", SPACE, "api-1", 19);
    assert_eq!(house.finish(&rollout).await, RolloutEnd::Promoted { left: String::new() });
    assert_eq!(house.deployments(), only("api-2", 20));
    // Between rollouts the number is anybody's.
    house.server.set_replicas("Deployment", SPACE, "api-2", 7);
    house.pass();
    house.pass();
    let view = house.target().observe().await.unwrap();
    assert_eq!(view.split.unwrap().only(), Some("api-2"));
    assert!(view.revisions["api-2"].readiness == alfred_ops_maintenance::Readiness::Ready);
    house.server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_rolled_out_is_refused_with_a_remedy() {
    let house = House::new(3, |_| Verdict::Pass).await;
    let refused = async || house.rollout().begin(&house.context, super::house::release()).await.unwrap_err();
    house.server.modify("Service", SPACE, "api", |service| service["spec"]["selector"] = json!({}));
    assert!(refused().await.to_string().contains("labels: there are none"));
    house.server.modify("Service", SPACE, "api", |service| {
        service["spec"]["selector"] = json!({ "app": "api-1", "alfred-ops/revision": "x" });
    });
    assert!(refused().await.to_string().contains("leaves no room for a second revision"));
    house
        .server
        .modify("Service", SPACE, "api", |service| service["spec"]["selector"] = json!({ "app": "api-1" }));
    house.server.add("Deployment", SPACE, "api-0", 1);
    house.server.modify("Deployment", SPACE, "api-0", |object| {
        object["spec"]["template"]["metadata"]["labels"]["app"] = json!("api-1");
    });
    assert!(refused().await.full().contains("does not go to named revisions"));
    house.server.set_replicas("Deployment", SPACE, "api-0", 0);
    house.rollout().begin(&house.context, super::house::release()).await.unwrap();
    house.server.stop().await;
}
