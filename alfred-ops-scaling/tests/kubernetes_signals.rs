//! Signals of the Metrics API against a server that keeps state.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;

use alfred_ops_core::http::KubernetesApiServer;
use alfred_ops_core::{ErrorKind, SystemClock};
use alfred_ops_scaling::testing::servers::KubernetesServer;
use alfred_ops_scaling::{KubernetesCluster, KubernetesSignals, SignalSource, Signals};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

/// Five pods, each of which asks for 500m and 256Mi and uses half of both.
async fn fleet() -> (KubernetesServer, KubernetesSignals, Vec<String>) {
    let server = KubernetesServer::start().await.unwrap();
    server.add("Deployment", "agents", "bot", 5);
    server.add("Deployment", "agents", "other", 1);
    server.run_controller();
    let pods: Vec<String> = server.pods("agents").into_iter().filter(|pod| pod.starts_with("bot")).collect();
    for pod in server.pods("agents") {
        server.set_usage("agents", &pod, ("250m", "128Mi"), at(60));
    }
    let access = KubernetesApiServer::new(server.url());
    let cluster = Arc::new(KubernetesCluster::new(access, SystemClock::shared()).unwrap());
    let signals = KubernetesSignals::new(cluster, "agents", "app=bot").unwrap();
    (server, signals, pods)
}

/// What is read: processors and memory in hundredths, and how many seconds ago that was.
async fn read(signals: &KubernetesSignals) -> (Option<(i64, i64)>, Option<(i64, i64)>) {
    let Signals { cpu, memory, queued: None, in_flight: None, arrivals: None } =
        signals.read(at(100)).await.unwrap()
    else {
        panic!("the Metrics API knows nothing of messages")
    };
    let shown = |reading: alfred_ops_scaling::Reading| {
        let hundredths = format!("{:.0}", reading.value * 100.0).parse().unwrap();
        (hundredths, (at(100) - reading.at).num_seconds())
    };
    (cpu.map(shown), memory.map(shown))
}

#[tokio::test]
async fn usage_is_a_share_of_requests_as_old_as_its_oldest_sample() {
    let (server, signals, pods) = fleet().await;
    assert_eq!(read(&signals).await, (Some((50, 40)), Some((50, 40))));
    server.set_usage("agents", &pods[0], ("1500m", "512Mi"), at(45));
    assert_eq!(
        read(&signals).await,
        (Some((100, 55)), Some((80, 55))),
        "a pod may use more than it asks for"
    );
    let usage = signals.usage().await.unwrap();
    assert_eq!((usage.measured.len(), usage.missing.len(), usage.idle), (5, 0, 0));
    assert_eq!((usage.measured[0].at, &*usage.measured[0].window), (at(45), "30s"));
}

#[tokio::test]
async fn missing_pods_are_missing_and_not_idle() {
    let (server, signals, pods) = fleet().await;
    server.forget_usage("agents", &pods[1]);
    assert_eq!(read(&signals).await, (Some((50, 40)), Some((50, 40))), "not 40");
    assert_eq!(signals.usage().await.unwrap().missing, [pods[1].clone()]);
    server.forget_usage("agents", &pods[2]);
    assert_eq!(read(&signals).await, (None, None), "three of five are too few");
    // Who is not ready does no work that could be missing.
    for pod in &pods[1..3] {
        server.set_ready("agents", pod, false);
    }
    assert_eq!(read(&signals).await, (Some((50, 40)), Some((50, 40))));
    let lenient = fleet().await;
    for pod in &lenient.2[..4] {
        lenient.0.forget_usage("agents", pod);
    }
    assert_eq!(read(&lenient.1).await, (None, None));
    let lenient = (lenient.0, lenient.1.with_measured_min(0.2).unwrap());
    assert_eq!(read(&lenient.1).await.0, Some((50, 40)));
    for bad in [0.0, -1.0, 1.1, f64::NAN] {
        assert!(fleet().await.1.with_measured_min(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn nothing_is_known_of_no_pods_and_of_pods_that_request_nothing() {
    let (server, signals, pods) = fleet().await;
    server.modify("Pod", "agents", &pods[0], |pod| {
        pod["spec"]["containers"][0]["resources"]["requests"] = json!({ "memory": "256Mi" });
    });
    assert_eq!(read(&signals).await, (None, Some((50, 40))));
    server.modify("Pod", "agents", &pods[0], |pod| {
        pod["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z");
    });
    assert_eq!(read(&signals).await.0, Some((50, 40)), "it is on its way out");
    server.set_usage("agents", &pods[1], ("lots", "128Mi"), at(60));
    assert_eq!(signals.usage().await.unwrap().missing, [pods[1].clone()], "what cannot be read is missing");
    server.set_replicas("Deployment", "agents", "bot", 0);
    assert_eq!(read(&signals).await, (None, None));
}

#[tokio::test]
async fn a_missing_right_or_server_is_named() {
    let (server, signals, _) = fleet().await;
    server.deny("list", "pods");
    let error = signals.read(at(100)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains(r#"resources: ["pods"], verbs: ["list"]"#), "{error}");
    let nowhere = KubernetesApiServer::new(&format!("{}/elsewhere", server.url()));
    let nowhere = Arc::new(KubernetesCluster::new(nowhere, SystemClock::shared()).unwrap());
    let signals = KubernetesSignals::new(nowhere, "agents", "app=bot").unwrap();
    assert_eq!(signals.read(at(100)).await.unwrap_err().kind(), ErrorKind::NotFound);
}
