//! The Kubernetes scaler against a server that keeps state.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::http::{Credential, KubernetesApiServer};
use alfred_ops_core::{
    Error, ErrorKind, JobContext, MemoryStateStore, Result, Retry, SimulatedClock, SystemClock,
};
use alfred_ops_scaling::testing::conformance;
use alfred_ops_scaling::testing::servers::{Fault, KubernetesServer};
use alfred_ops_scaling::{
    Autoscaler, DrainLeases, DrainingScaler, KubernetesCluster, KubernetesScaler, PodCosts, PodVictims,
    Policy, Precondition, ScaleTarget, Scaler, Slo, Victims, Workload,
};
use chrono::{DateTime, TimeDelta};

const NAMESPACE: &str = "agents";

fn cluster(server: &KubernetesServer) -> Arc<KubernetesCluster> {
    Arc::new(
        KubernetesCluster::new(KubernetesApiServer::new(server.url()), SystemClock::shared())
            .unwrap()
            .with_request_limit(Duration::from_secs(5)),
    )
}

fn target(kind: &str, name: &str) -> ScaleTarget {
    match kind {
        "Deployment" => ScaleTarget::deployment(NAMESPACE, name),
        "StatefulSet" => ScaleTarget::stateful_set(NAMESPACE, name),
        "ReplicaSet" => ScaleTarget::replica_set(NAMESPACE, name),
        _ => ScaleTarget::custom("alfred-ai.com/v1", "agentpools", "AgentPool", (NAMESPACE, name)),
    }
    .unwrap()
}

async fn scaled(kind: &str, replicas: u32) -> (KubernetesServer, KubernetesScaler) {
    let server = KubernetesServer::start().await.unwrap();
    server.add(kind, NAMESPACE, "bot", replicas);
    let scaler = KubernetesScaler::new(cluster(&server), target(kind, "bot"));
    (server, scaler)
}

#[tokio::test]
async fn whatever_has_a_scale_keeps_the_contract() {
    for kind in ["Deployment", "StatefulSet", "ReplicaSet", "AgentPool"] {
        let (server, scaler) = scaled(kind, 1).await;
        conformance::scaler(&scaler).await;
        assert_eq!(server.replicas(kind, NAMESPACE, "bot"), Some(2), "{kind}");
        let current = scaler.current().await.unwrap();
        scaler.scale(0, &current.precondition).await.unwrap();
        let current = scaler.current().await.unwrap();
        assert_eq!((current.configured, current.running), (0, Some(0)), "zero is a number: {kind}");
        server.stop().await;
    }
}

#[tokio::test]
async fn running_pods_are_those_that_the_controller_counts() {
    let (server, scaler) = scaled("Deployment", 3).await;
    assert_eq!(scaler.current().await.unwrap().running, Some(0));
    server.reconcile();
    let current = scaler.current().await.unwrap();
    assert_eq!((current.configured, current.running), (3, Some(3)));
    let outcome = scaler.scale(5, &current.precondition).await.unwrap();
    // The controller's own note in the status is a change too.
    server.reconcile();
    let late = scaler.scale(6, &outcome.precondition).await.unwrap_err();
    assert_eq!((late.kind(), late.retry()), (ErrorKind::Conflict, Retry::Never), "{late}");
    assert_eq!(scaler.current().await.unwrap().running, Some(5));
}

/// What a change of the deployment comes to after a fault, and that it has changed nothing.
async fn check(
    (server, scaler): &(KubernetesServer, KubernetesScaler),
    fault: &[Fault],
    (kind, retry): (ErrorKind, Retry),
    said: &str,
) {
    let current = scaler.current().await.unwrap();
    server.fail_next(fault.iter().copied());
    let error = scaler.scale(7, &current.precondition).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (kind, retry), "{}", error.full());
    assert!(error.to_string().contains(said), "{error}");
    assert_eq!(scaler.current().await.unwrap(), current, "nothing was changed");
}

#[tokio::test]
async fn each_refusal_is_named_with_its_remedy() {
    let service = scaled("Deployment", 3).await;
    // The first request looks for other autoscalers.
    let now = Retry::After(None);
    check(&service, &[Fault::Pass, Fault::Unavailable], (ErrorKind::Unavailable, now), "503").await;
    check(&service, &[Fault::Unavailable], (ErrorKind::Unavailable, now), "look for autoscalers").await;
    let later = Retry::After(Some(Duration::from_secs(7)));
    check(&service, &[Fault::Pass, Fault::QuotaExceeded], (ErrorKind::Unavailable, later), "429").await;
    let conflict = (ErrorKind::Conflict, Retry::Never);
    check(&service, &[Fault::Pass, Fault::Conflict], conflict, "the object has been modified").await;
    let (server, scaler) = &service;
    let current = scaler.current().await.unwrap();
    for verb in ["get", "patch"] {
        server.deny(verb, "deployments/scale");
        let error = match verb {
            "get" => scaler.current().await.unwrap_err(),
            _ => scaler.scale(4, &current.precondition).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let rule = format!(r#"{{apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["{verb}"]}}"#);
        assert!(error.to_string().contains(&rule), "{error}");
    }
    let error = scaler.scale(4, &Precondition::new("")).await.unwrap_err();
    assert!(error.to_string().contains("names no resource version"), "no change is unconditional: {error}");
    assert_eq!(server.history("Deployment", NAMESPACE, "bot"), [0; 0], "one layer retries, and not this one");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (server, _) = scaled("Deployment", 3).await;
    let look = async |target| KubernetesScaler::new(cluster(&server), target).current().await.unwrap_err();
    let error = look(target("Deployment", "nobody")).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("deployments.apps \"nobody\" not found; check namespace"), "{error}");
    let rollout = ScaleTarget::custom("argoproj.io/v1", "rollouts", "Rollout", (NAMESPACE, "bot")).unwrap();
    let error = look(rollout).await;
    assert!(
        error.to_string().contains("check that the cluster serves rollouts of argoproj.io/v1"),
        "{error}"
    );

    let nowhere = KubernetesApiServer::new("http://127.0.0.1:1");
    let nowhere = Arc::new(KubernetesCluster::new(nowhere, SystemClock::shared()).unwrap());
    let scaler = KubernetesScaler::new(nowhere, target("Deployment", "bot"));
    assert_eq!(scaler.current().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let change = scaler.scale(3, &Precondition::new("1")).await.unwrap_err();
    assert_eq!(change.retry(), Retry::After(None), "nobody was reached: {}", change.full());
    let error =
        KubernetesCluster::new(KubernetesApiServer::new("api:6443"), SystemClock::shared()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_plan_is_a_dry_run_of_the_whole_check() {
    let (server, scaler) = scaled("Deployment", 3).await;
    assert_eq!(scaler.plan(5).await.unwrap(), "agents/deployments/bot: spec.replicas from 3 to 5");
    assert_eq!((server.replicas("Deployment", NAMESPACE, "bot"), server.writes()), (Some(3), 0));
    server.add_autoscaler(NAMESPACE, "theirs", ("apps/v1", "Deployment", "bot"));
    assert_eq!(scaler.plan(5).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_second_autoscaler_is_refused_and_only_that_of_the_same_object() {
    let (server, scaler) = scaled("Deployment", 3).await;
    server.add_autoscaler("elsewhere", "a", ("apps/v1", "Deployment", "bot"));
    server.add_autoscaler(NAMESPACE, "b", ("apps/v1", "StatefulSet", "bot"));
    server.add_autoscaler(NAMESPACE, "c", ("apps/v1", "Deployment", "other"));
    server.add_autoscaler(NAMESPACE, "d", ("alfred-ai.com/v1", "Deployment", "bot"));
    let current = scaler.current().await.unwrap();
    let current = scaler.scale(4, &current.precondition).await.unwrap();

    // More than fit on a page.
    for number in 0..600 {
        server.add_autoscaler(NAMESPACE, &format!("e-{number}"), ("apps/v1", "Deployment", "another"));
    }
    server.add_autoscaler(NAMESPACE, "theirs", ("apps/v2", "Deployment", "bot"));
    let error = scaler.scale(5, &current.precondition).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unsupported, Retry::Never));
    assert!(error.to_string().contains("HorizontalPodAutoscaler \"theirs\""), "{error}");
    let scaler = scaler.accepting_unseen_autoscalers();
    let error = scaler.scale(5, &current.precondition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "one that is seen is refused all the same");
    assert_eq!(server.history("Deployment", NAMESPACE, "bot"), [4]);
}

#[tokio::test]
async fn who_may_not_look_for_autoscalers_says_so_or_goes_on_knowingly() {
    let (server, scaler) = scaled("Deployment", 3).await;
    server.deny("list", "horizontalpodautoscalers");
    let current = scaler.current().await.unwrap();
    let error = scaler.scale(4, &current.precondition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    for said in
        [r#"resources: ["horizontalpodautoscalers"], verbs: ["list"]"#, "accepting_unseen_autoscalers"]
    {
        assert!(error.to_string().contains(said), "{error}");
    }
    let scaler = scaler.accepting_unseen_autoscalers();
    assert_eq!(scaler.scale(4, &current.precondition).await.unwrap().configured, 4);
}

#[tokio::test]
async fn a_lost_or_late_answer_is_an_unknown_outcome_and_the_next_look_tells() {
    let (server, scaler) = scaled("Deployment", 3).await;
    let current = scaler.current().await.unwrap();
    server.fail_next([Fault::Pass, Fault::LoseAnswer]);
    let error = scaler.scale(4, &current.precondition).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Unknown, "{}", error.full());
    assert!(error.to_string().contains("read the object before a repeat"), "{error}");
    assert_eq!(scaler.current().await.unwrap().configured, 4, "it had happened");
    let repeat = scaler.scale(4, &current.precondition).await.unwrap_err();
    assert_eq!(repeat.kind(), ErrorKind::Conflict, "a blind repeat does no harm");

    let hasty =
        KubernetesCluster::new(KubernetesApiServer::new(server.url()), SystemClock::shared()).unwrap();
    let hasty = Arc::new(hasty.with_request_limit(Duration::from_millis(200)));
    let scaler = KubernetesScaler::new(hasty, target("Deployment", "bot"));
    let current = scaler.current().await.unwrap();
    server.fail_next([Fault::Pass, Fault::Hang]);
    let error = scaler.scale(5, &current.precondition).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Unknown), "{}", error.full());
    server.fail_next([Fault::Hang]);
    let error = scaler.current().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::After(None)), "{}", error.full());
    assert_eq!(scaler.current().await.unwrap(), current);
}

#[tokio::test]
async fn a_token_is_read_again_once_it_is_replaced_and_never_shows() {
    let (server, _) = scaled("Deployment", 3).await;
    let file = std::env::temp_dir().join(format!("alfred-ops-token-{}", std::process::id()));
    let access = KubernetesApiServer::new(server.url()).with_token(Credential::File(file.clone()));
    let cluster = Arc::new(KubernetesCluster::new(access, SystemClock::shared()).unwrap());
    let scaler = KubernetesScaler::new(cluster, target("Deployment", "bot"));
    for token in ["first", "second"] {
        server.require_token(token);
        let error = scaler.current().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        std::fs::write(&file, format!("{token}\n")).unwrap();
        scaler.current().await.unwrap();
        assert!(!format!("{scaler:?} {}", error.full()).contains("first"), "{scaler:?}");
    }
    std::fs::remove_file(&file).unwrap();
    let error = scaler.current().await.unwrap_err();
    assert!(error.to_string().contains("alfred-ops-token"), "the file is named: {error}");
}

#[tokio::test]
async fn a_number_that_an_admission_changed_is_no_success() {
    let (server, scaler) = scaled("Deployment", 3).await;
    server.clamp_replicas(5);
    let current = scaler.current().await.unwrap();
    let error = scaler.plan(9).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unsupported, Retry::Never), "{error}");
    let error = scaler.scale(9, &current.precondition).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unsupported, Retry::Unknown), "{error}");
    assert!(error.to_string().contains("made 5 of 9 replicas"), "{error}");
}

fn costs(server: &KubernetesServer, selector: &str) -> PodCosts {
    PodCosts::new(cluster(server), NAMESPACE, selector).unwrap()
}

#[tokio::test]
async fn busy_pods_go_last() {
    let (server, scaler) = scaled("Deployment", 5).await;
    server.run_controller();
    let pods = server.pods(NAMESPACE);
    assert_eq!(pods.len(), 5);
    let busy = [&pods[4], &pods[1]];
    let costs = costs(&server, "app=bot");
    let report = costs.mark_busy(busy).await.unwrap();
    assert_eq!((report.changed.len(), report.unchanged, report.is_complete()), (2, 0, true));
    let writes = server.writes();
    let again = costs.mark_busy(busy.into_iter().chain([&"late-9".to_owned()])).await.unwrap();
    assert_eq!((again.changed.len(), again.unchanged, again.gone), (0, 2, vec!["late-9".to_owned()]));
    assert_eq!(server.writes(), writes, "only changes are written");

    // A pod that is not ready has nothing to lose and goes first.
    server.set_ready(NAMESPACE, &pods[4], false);
    let current = scaler.current().await.unwrap();
    scaler.scale(2, &current.precondition).await.unwrap();
    assert_eq!(server.pods(NAMESPACE), [pods[0].clone(), pods[1].clone()], "the young go, the busy stays");
    let current = scaler.current().await.unwrap();
    scaler.scale(1, &current.precondition).await.unwrap();
    assert_eq!(server.pods(NAMESPACE), [pods[1].clone()]);
    costs.mark_idle([&pods[1]]).await.unwrap();
    let pod = server.object("Pod", NAMESPACE, &pods[1]).unwrap();
    assert_eq!(pod["metadata"]["annotations"].as_object().map(serde_json::Map::len), Some(0), "{pod}");
}

#[tokio::test]
async fn pods_with_a_drain_lease_stay_and_begin_nothing_more_once_they_are_to_go() {
    let (server, scaler) = scaled("Deployment", 4).await;
    server.run_controller();
    let pods = server.pods(NAMESPACE);
    let leases = DrainLeases::new(Arc::new(MemoryStateStore::default()), "drain/bot", SystemClock::shared());
    let victims = Victims::Chosen(Arc::new(PodVictims::new(costs(&server, "app=bot"))));
    let scaler = DrainingScaler::new(Arc::new(scaler), leases.clone(), victims);
    let work = leases.worker(&pods[2]).begin(Duration::from_secs(600)).await.unwrap();
    let lost = leases.worker(&pods[3]).begin(Duration::from_secs(900)).await.unwrap();
    let scale = async |target: u32| {
        let current = scaler.current().await.unwrap();
        scaler.scale(target, &current.precondition).await.unwrap().configured
    };
    assert_eq!(scale(1).await, 2, "two work");
    assert_eq!(server.pods(NAMESPACE), [pods[2].clone(), pods[3].clone()]);
    let error = leases.worker(&pods[2]).begin(Duration::from_secs(60)).await.unwrap_err();
    assert!(error.to_string().contains("this instance is to go"), "{error}");
    assert!(scaler.plan(1).await.unwrap().contains("as far as 2 drain leases allow"));
    work.end().await.unwrap();
    assert_eq!(scale(1).await, 1);
    assert_eq!(server.pods(NAMESPACE), [pods[3].clone()]);
    drop(lost);
    server.stop().await;
}

#[tokio::test]
async fn a_call_writes_no_more_than_its_limit_and_says_what_it_left() {
    let (server, _) = scaled("ReplicaSet", 250).await;
    server.run_controller();
    let pods = server.pods(NAMESPACE);
    let costs = costs(&server, "app=bot");
    let all: BTreeMap<String, i32> = pods.iter().map(|pod| (pod.clone(), 5)).collect();
    let report = costs.set(&all).await.unwrap();
    assert_eq!((report.changed.len(), report.untried.len(), report.is_complete()), (200, 50, false));
    // The list passes; of the 50 changes one is refused and one met another pod of the same name.
    server.fail_next([Fault::Pass, Fault::Unavailable, Fault::Conflict]);
    let report = costs.set(&all).await.unwrap();
    let outcome = (report.changed.len(), report.unchanged, report.failed.len(), report.gone.len());
    assert_eq!(outcome, (48, 200, 1, 1));
    assert!(costs.set(&all).await.unwrap().is_complete());

    server.deny("patch", "pods");
    let report = costs.mark_idle(&pods[..1]).await.unwrap();
    let (_, error) = &report.failed[0];
    assert!(error.to_string().contains(r#"resources: ["pods"], verbs: ["patch"]"#), "{error}");
    server.deny("list", "pods");
    assert_eq!(costs.mark_idle(&pods).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

/// A load that the autoscaler follows among faults, which end at some time.
async fn follow(seed: u64) -> Result<()> {
    let mut chance = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3_037_000_493);
    let mut below = move |bound: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % bound
    };
    let server = KubernetesServer::start().await?;
    server.add("Deployment", NAMESPACE, "bot", 2);
    server.run_controller();
    let scaler = Arc::new(KubernetesScaler::new(cluster(&server), target("Deployment", "bot")));
    let workload = Arc::new(Workload::new());
    let signals = Arc::<Workload>::clone(&workload);
    let policy = Policy::new(Slo::default().with_service_rate(10.0)).with_bounds(1, 15)?;
    let autoscaler = Autoscaler::new(scaler, signals, policy);
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let context = JobContext::system().with_clock(clock.shared());
    for look in 0..60 {
        let faulty = look < 40;
        let coming = if faulty { u32::try_from(below(200)).unwrap_or(0) } else { 100 };
        workload.arrived(coming);
        workload.started(coming);
        workload.completed(coming);
        if faulty {
            let faults = [
                Fault::Pass,
                Fault::Pass,
                Fault::Pass,
                Fault::Unavailable,
                Fault::QuotaExceeded,
                Fault::Conflict,
                Fault::LoseAnswer,
                Fault::Denied,
            ];
            server.fail_next((0..3).map(|_| faults[usize::try_from(below(8)).unwrap_or(0)]));
            if below(8) == 0 {
                let number = 1 + u32::try_from(below(15)).unwrap_or(0);
                server.set_replicas("Deployment", NAMESPACE, "bot", number);
            }
        }
        if look == 40 {
            server.heal();
        }
        let ticked = autoscaler.tick(&context).await;
        if look > 42 {
            let desired = ticked?.desired;
            let there = server.replicas("Deployment", NAMESPACE, "bot");
            if there != Some(desired) {
                let message = format!("seed {seed}: {there:?} is not {desired}");
                return Err(Error::new(ErrorKind::Internal, "follow", message));
            }
        }
        clock.advance(Duration::from_secs(2));
    }
    for number in server.history("Deployment", NAMESPACE, "bot") {
        assert!((1..=15).contains(&number), "seed {seed}: {number} is out of bounds");
    }
    assert_eq!(
        u32::try_from(server.pods(NAMESPACE).len()).ok(),
        server.replicas("Deployment", NAMESPACE, "bot")
    );
    server.stop().await;
    Ok(())
}

/// `scripts/soak scaling-faults` plays 500: one for each twenty of the memory's.
#[tokio::test]
async fn the_loop_outlives_outages_lost_answers_and_other_writers() {
    let read = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (first, runs) = (read("ALFRED_OPS_FAULTS_SEED", 1), read("ALFRED_OPS_FAULTS_RUNS", 500) / 20);
    for seed in first..first + runs {
        follow(seed).await.unwrap_or_else(|error| panic!("seed {seed}: {}", error.full()));
    }
    println!("{runs} schedules from seed {first}");
}
