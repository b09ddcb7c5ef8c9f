//! What a cluster uses, as a Kubernetes API server tells it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod image_uses;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::http::KubernetesApiServer;
use alfred_ops_core::{Error, ErrorKind, Retry, SystemClock};
use alfred_ops_maintenance::{ImageUse as _, KubernetesUse};
use alfred_ops_scaling::KubernetesCluster;
use alfred_ops_scaling::testing::servers::{Fault, KubernetesServer};
use image_uses::{Shelf, care_of, digest, told};
use serde_json::{Value, json};

const NAMESPACE: &str = "agents";

fn uses(server: &KubernetesServer) -> KubernetesUse {
    let cluster = KubernetesCluster::new(KubernetesApiServer::new(server.url()), SystemClock::shared());
    KubernetesUse::new("cluster", Arc::new(cluster.unwrap().with_request_limit(Duration::from_secs(5))))
}

fn pod(image: &str) -> Value {
    json!({ "containers": [{ "name": "main", "image": image }] })
}

fn workload(image: &str) -> Value {
    json!({ "spec": { "replicas": 0, "template": { "spec": pod(image) } } })
}

#[tokio::test]
async fn each_kind_tells_what_it_runs_or_would_go_back_to() {
    let server = KubernetesServer::start().await.unwrap();
    let ran = json!({ "containerStatuses": [{ "image": "r.example/bot:v9", "imageID": format!("r.example/bot@{}", digest(9)) }] });
    server.put("Pod", NAMESPACE, "bot-1", json!({ "spec": pod("r.example/bot:v9"), "status": ran }));
    // It has ended, and was never begun by the kubelet of its node.
    let ended = json!({ "phase": "Failed", "containerStatuses": [{ "image": "a:1", "imageID": "" }] });
    server.put("Pod", NAMESPACE, "ended", json!({ "spec": pod("a:1"), "status": ended }));
    server.put("Deployment", NAMESPACE, "asleep", workload("a:2"));
    server.put("ReplicaSet", NAMESPACE, "asleep-1", workload("a:3"));
    server.put("StatefulSet", NAMESPACE, "asleep", workload("a:4"));
    server.put("DaemonSet", "other", "agent", workload("a:5"));
    let past = json!({ "spec": { "template": { "$patch": "replace", "spec": pod("a:6") } } });
    server.put("ControllerRevision", "other", "agent-1", json!({ "data": past, "revision": 1 }));
    server.put("Job", NAMESPACE, "once", workload("a:7"));
    let nightly = json!({ "suspend": true, "jobTemplate": workload("a:8") });
    server.put("CronJob", NAMESPACE, "nightly", json!({ "spec": nightly }));
    server.put("AgentPool", NAMESPACE, "pool", workload("a:9"));

    let all = ["a:1", "a:2", "a:3", "a:4", "a:5", "a:6", "a:7", "a:8"]
        .map(|name| format!("docker.io/library/{name}"));
    let mut expected = all.to_vec();
    expected.extend([format!("r.example/bot@{}", digest(9)), "r.example/bot:v9".to_owned()]);
    expected.sort();
    assert_eq!(told(&uses(&server)).await, expected);

    // Of the kind that we know nothing of, and of one namespace alone.
    let named = uses(&server).with_namespace(NAMESPACE).with_kind(("alfred-ai.com", "v1", "agentpools"));
    expected.retain(|name| !name.ends_with("a:5") && !name.ends_with("a:6"));
    expected.push("docker.io/library/a:9".to_owned());
    expected.sort();
    assert_eq!(told(&named).await, expected);
    let both = named.with_namespace("other");
    assert_eq!(told(&both).await.len(), expected.len() + 2);
    server.stop().await;
}

#[tokio::test]
async fn lists_are_read_to_their_end_or_not_at_all() {
    let server = KubernetesServer::start().await.unwrap();
    for number in 0..1_201 {
        server.put(
            "Pod",
            NAMESPACE,
            &format!("bot-{number}"),
            json!({ "spec": pod(&format!("bot:{number}")) }),
        );
    }
    assert_eq!(told(&uses(&server)).await.len(), 1_201, "three pages");
    for number in 0..20_001 {
        server.put("Job", NAMESPACE, &format!("job-{number}"), json!({}));
    }
    let error = uses(&server).in_use().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{}", error.full());
    // The server gives up on a list in the middle, on the page after the first of the pods.
    let server = KubernetesServer::start().await.unwrap();
    for number in 0..501 {
        server.put("Pod", NAMESPACE, &format!("bot-{number}"), json!({ "spec": pod("bot") }));
    }
    server.fail_next([[Fault::Pass; 8].as_slice(), &[Fault::Unavailable]].concat());
    let error = uses(&server).in_use().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::After(None)),
        "{}",
        error.full()
    );
    assert_eq!(told(&uses(&server)).await, ["docker.io/library/bot:latest"]);
    server.stop().await;
}

fn check(error: &Error, kind: ErrorKind, said: &[&str]) {
    assert_eq!(error.kind(), kind, "{}", error.full());
    for said in said {
        assert!(error.full().to_string().contains(said), "{said} is not in {}", error.full());
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_an_error_that_says_what_is_missing() {
    let server = KubernetesServer::start().await.unwrap();
    server.deny("list", "controllerrevisions");
    let rule = r#"{apiGroups: ["apps"], resources: ["controllerrevisions"], verbs: ["list"]}"#;
    let error = uses(&server).in_use().await.unwrap_err();
    check(&error, ErrorKind::PermissionDenied, &["cluster role", rule]);
    let error = uses(&server).with_namespace(NAMESPACE).in_use().await.unwrap_err();
    check(&error, ErrorKind::PermissionDenied, &["account's role", rule, "namespaces/agents/"]);

    let error = uses(&server).with_namespace("../kube-system").in_use().await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["namespace: \"../kube-system\" is no name"]);
    let error = uses(&server).with_namespace("").in_use().await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["namespace: \"\" is no name"]);
    let error = uses(&server).with_kind(("alfred-ai.com", "v1", "robots")).in_use().await.unwrap_err();
    check(&error, ErrorKind::NotFound, &["check that the cluster serves robots of alfred-ai.com/v1"]);

    let server = KubernetesServer::start().await.unwrap();
    server.put("Deployment", NAMESPACE, "typo", workload("no image"));
    let error = uses(&server).in_use().await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["deployments agents/typo", "\"no image\"", "correct or delete"]);
    server.stop().await;
}

#[tokio::test]
async fn nothing_that_a_cluster_uses_is_removed_and_nothing_at_all_if_it_does_not_tell() {
    let server = KubernetesServer::start().await.unwrap();
    server.put("Deployment", NAMESPACE, "asleep", workload("registry.example/bot:asleep"));
    // Its tag has moved since: only the digest tells what runs.
    let ran = json!({ "containerStatuses": [{ "imageID": format!("r/bot@{}", digest(2)) }] });
    server.put("Pod", NAMESPACE, "bot-1", json!({ "spec": pod("registry.example/bot:gone"), "status": ran }));
    let shelf = Shelf::new("bot", &["asleep", "runs", "unused"]);
    server.deny("list", "pods");
    let record = care_of(&shelf, uses(&server)).await;
    assert_eq!(shelf.tags().len(), 3, "{}", record.plan);
    assert!(record.plan.contains("nothing is removed, since cluster does not tell"), "{}", record.plan);
    assert!(record.plan.contains(r#"resources: ["pods"], verbs: ["list"]"#), "{}", record.plan);

    let allowed = KubernetesServer::start().await.unwrap();
    for (kind, name) in [("Deployment", "asleep"), ("Pod", "bot-1")] {
        allowed.put(kind, NAMESPACE, name, server.object(kind, NAMESPACE, name).unwrap());
    }
    let record = care_of(&shelf, uses(&allowed)).await;
    assert_eq!(shelf.tags(), ["asleep", "runs"], "{}", record.plan);
    server.stop().await;
}
