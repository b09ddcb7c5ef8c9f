//! The Cloud Run scaler against a server that keeps state.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ErrorKind, JobContext, Retry, SimulatedClock};
use alfred_ops_scaling::testing::conformance;
use alfred_ops_scaling::testing::servers::{CloudRunServer, Fault};
use alfred_ops_scaling::{
    Autoscaler, CloudRunOptions, CloudRunScaler, CloudRunWorkerPoolScaler, Policy, Precondition, Scaler,
    Workload,
};
use chrono::DateTime;

const NAME: &str = "projects/alfred/locations/europe-west1/services/agents";

fn options(server: &CloudRunServer) -> CloudRunOptions {
    CloudRunOptions::new("alfred", "europe-west1", "agents")
        .unwrap()
        .with_endpoint(server.endpoint())
        .with_poll_after(Duration::from_millis(1))
}

async fn service(manual: bool) -> (CloudRunServer, CloudRunScaler) {
    let server = CloudRunServer::start().await.unwrap();
    server.add_service(NAME, manual);
    let scaler = CloudRunScaler::connect(options(&server)).await.unwrap();
    (server, scaler)
}

#[tokio::test]
async fn both_modes_keep_the_contract_and_make_no_revision() {
    for manual in [false, true] {
        let (server, scaler) = service(manual).await;
        conformance::scaler(&scaler).await;
        assert_eq!(server.instances(NAME), Some(2), "manual: {manual}");
        assert_eq!(server.revisions(NAME), Some(1), "manual: {manual}");
        let current = scaler.current().await.unwrap();
        assert_eq!(current.running, None, "the Admin API knows only the configured number");
        scaler.scale(0, &current.precondition).await.unwrap();
        assert_eq!(scaler.current().await.unwrap().configured, 0, "zero is a number, manual: {manual}");
    }
}

#[tokio::test]
async fn a_worker_pool_keeps_the_contract_and_makes_no_revision() {
    let name = "projects/alfred/locations/europe-west1/workerPools/pullers";
    let server = CloudRunServer::start().await.unwrap();
    server.add_worker_pool(name);
    let options = CloudRunOptions::worker_pool("alfred", "europe-west1", "pullers")
        .unwrap()
        .with_endpoint(server.endpoint())
        .with_poll_after(Duration::from_millis(1));
    let scaler = CloudRunWorkerPoolScaler::connect(options.clone()).await.unwrap();
    conformance::scaler(&scaler).await;
    assert_eq!((server.instances(name), server.revisions(name)), (Some(2), Some(1)));
    let current = scaler.current().await.unwrap();
    scaler.scale(0, &current.precondition).await.unwrap();
    let observed = scaler.observe().await.unwrap();
    assert_eq!((observed.configured, observed.settled, observed.problem), (0, Some(true), None));

    let error = CloudRunScaler::connect(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("not one of services"), "{error}");
}

#[tokio::test]
async fn each_refusal_is_named_with_its_remedy() {
    let (server, scaler) = service(false).await;
    let current = scaler.current().await.unwrap();

    server.fail_next([Fault::Unavailable]);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    assert_eq!(server.history(NAME), Vec::<u32>::new(), "one layer retries, and it is not this one");

    server.fail_next([Fault::Denied]);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("roles/run.developer"), "{error}");

    server.fail_next([Fault::QuotaExceeded]);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    assert!(error.to_string().contains("raise the project's quota"), "{error}");
    assert_eq!(scaler.current().await.unwrap(), current, "none of these changed anything");

    let blank = Precondition::new("automatic ");
    let error = scaler.scale(3, &blank).await.unwrap_err();
    assert!(error.to_string().contains("names no etag"), "no change is unconditional: {error}");

    let missing =
        CloudRunOptions::new("alfred", "europe-west1", "nobody").unwrap().with_endpoint(server.endpoint());
    let error = CloudRunScaler::connect(missing).await.unwrap().current().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("services/nobody"), "{error}");

    let nowhere = options(&server).with_endpoint("http://127.0.0.1:1");
    let error = CloudRunScaler::connect(nowhere).await.unwrap().current().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());

    let error = CloudRunOptions::new("alfred", "europe-west1", "a/b").unwrap_err();
    assert!(error.to_string().contains("service: \"a/b\""), "{error}");
}

#[tokio::test]
async fn a_lost_answer_is_an_unknown_outcome_and_the_next_look_tells() {
    let (server, scaler) = service(false).await;
    let current = scaler.current().await.unwrap();
    server.fail_next([Fault::LoseAnswer]);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Unknown, "{}", error.full());
    assert_eq!(scaler.current().await.unwrap().configured, 3, "it had happened");
    let repeat = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(repeat.kind(), ErrorKind::Conflict, "a blind repeat does no harm");
}

#[tokio::test]
async fn whatever_fails_after_a_change_was_accepted_leaves_it_unknown() {
    let (server, scaler) = service(false).await;
    let current = scaler.current().await.unwrap();
    server.fail_next([Fault::Pass, Fault::Denied]);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::PermissionDenied, Retry::Unknown));

    let current = scaler.current().await.unwrap();
    assert_eq!(current.configured, 3, "it had happened");
    server.fail_next([Fault::Pass, Fault::Unavailable, Fault::LoseAnswer]);
    let outcome = scaler.scale(4, &current.precondition).await.unwrap();
    assert_eq!(outcome.configured, 4, "looks are repeated");
}

#[tokio::test]
async fn neither_a_request_nor_a_change_hangs_for_ever() {
    let server = CloudRunServer::start().await.unwrap();
    server.add_service(NAME, false);
    let limits = options(&server).with_limits(Duration::from_secs(1), Duration::from_millis(50));
    let scaler = CloudRunScaler::connect(limits).await.unwrap();
    let current = scaler.current().await.unwrap();
    server.fail_next([Fault::Hang]);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Unknown, "{}", error.full());
    assert_eq!(scaler.current().await.unwrap(), current);

    server.finish_after(u32::MAX);
    let error = scaler.scale(3, &current.precondition).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Unknown, "{}", error.full());
    assert!(error.to_string().contains("read the service before a repeat"), "{error}");

    server.fail_next([Fault::Hang]);
    let (hanging, ()) = tokio::join!(scaler.current(), server.stop());
    assert!(hanging.is_err(), "a server that stops gives up what hangs");
}

#[tokio::test]
async fn an_operation_may_be_done_at_once_or_much_later() {
    let (server, scaler) = service(true).await;
    for polls in [0, 1, 5] {
        server.finish_after(polls);
        let current = scaler.current().await.unwrap();
        let outcome = scaler.scale(polls + 1, &current.precondition).await.unwrap();
        assert_eq!(outcome.configured, polls + 1);
        assert_eq!(outcome.precondition, scaler.current().await.unwrap().precondition);
    }
    assert_eq!(server.history(NAME), [1, 2, 6]);
}

#[tokio::test]
async fn a_queue_grows_and_drains() {
    let (server, scaler) = service(false).await;
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let context = JobContext::system().with_clock(clock.shared());
    let workload = Arc::new(Workload::new());
    let signals = Arc::<Workload>::clone(&workload);
    let autoscaler = Autoscaler::new(Arc::new(scaler), signals, Policy::default());
    for (minutes, queued, usage) in [(1, 0.0, 0.0), (12, 4000.0, 0.7), (50, 0.0, 0.1)] {
        workload.set_queued(queued);
        workload.set_in_flight(if queued > 0.0 { 8.0 } else { 0.0 });
        workload.set_usage(usage, usage);
        for _ in 0..minutes * 4 {
            clock.advance(Duration::from_secs(15));
            autoscaler.tick(&context).await.unwrap();
        }
    }
    assert_eq!(server.history(NAME), [1, 4, 8, 4, 2, 1, 0]);
    assert_eq!(server.revisions(NAME), Some(1));
}

/// Lets the loop run for some simulated minutes beside the server.
async fn minutes(clock: &SimulatedClock, minutes: u32) {
    for _ in 0..minutes * 4 {
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(15));
    }
    while clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_loop_outlives_outages_lost_answers_and_other_writers() {
    let (server, scaler) = service(true).await;
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let context = JobContext::system().with_clock(clock.shared());
    let workload = Arc::new(Workload::new());
    let signals = Arc::<Workload>::clone(&workload);
    let autoscaler = Autoscaler::new(Arc::new(scaler), signals, Policy::default());
    let day = async {
        minutes(&clock, 1).await;
        assert_eq!(server.history(NAME), [0; 0], "nothing is known, nothing is done");
        workload.arrived(3000);
        workload.set_usage(0.7, 0.3);
        // The look succeeds and the change does not; the next answer is lost after the change was made.
        server.fail_next([Fault::Pass, Fault::Unavailable, Fault::Pass, Fault::LoseAnswer]);
        minutes(&clock, 1).await;
        assert_eq!(server.history(NAME), [1], "made once");
        server.set_instances(NAME, 3);
        minutes(&clock, 5).await;
        assert_eq!(server.history(NAME), [1, 3], "somebody else's change is given its time");
        minutes(&clock, 1).await;
        assert_eq!(server.history(NAME), [1, 3, 7]);
        workload.started(3000);
        workload.completed(2999);
        workload.set_usage(0.1, 0.1);
        minutes(&clock, 60).await;
        assert_eq!(server.instances(NAME), Some(1), "one message is still in work");
        workload.completed(1);
        minutes(&clock, 1).await;
        assert_eq!(server.history(NAME), [1, 3, 7, 4, 2, 1, 0]);
        context.cancel.cancel();
    };
    let (ended, ()) = tokio::join!(autoscaler.run(&context), day);
    ended.unwrap();
    assert_eq!(server.revisions(NAME), Some(1));
    assert!(autoscaler.history().iter().all(|record| record.replay() == record.decision));
    server.stop().await;
}
