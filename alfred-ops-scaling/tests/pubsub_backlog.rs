//! The backlog of a subscription, out of a Cloud Monitoring server.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::cloud_monitoring::{CloudMonitoringSource, MetricQuery};
use alfred_ops_core::testing::servers::{CloudMonitoringServer, MonitoredSeries, MonitoringFault};
use alfred_ops_core::{JobContext, MetricSource, SimulatedClock};
use alfred_ops_scaling::{
    Autoscaler, Backlog, MemoryScaler, Policy, PubSubBacklog, Reading, Scaler, SignalSource,
};
use chrono::{DateTime, TimeDelta, Utc};

const MESSAGES: &str = "num_undelivered_messages";
const OLDEST: &str = "oldest_unacked_message_age";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn series(metric: &str, subscription: &str) -> MonitoredSeries {
    MonitoredSeries::new(format!("pubsub.googleapis.com/subscription/{metric}"), "pubsub_subscription")
        .with_resource_label("subscription_id", subscription)
}

/// A source that looks at second 600.
async fn source(server: &CloudMonitoringServer, queries: [MetricQuery; 2]) -> Arc<dyn MetricSource> {
    let source = CloudMonitoringSource::builder("alfred")
        .endpoint(server.endpoint())
        .clock(SimulatedClock::starting_at(at(600)).shared())
        .queries(queries);
    Arc::new(source.connect().await.unwrap())
}

fn known(backlog: &Backlog) -> [Option<(f64, i64)>; 2] {
    let shown = |reading: Reading| (reading.value, (at(600) - reading.at).num_seconds());
    [backlog.messages.map(shown), backlog.oldest_seconds.map(shown)]
}

#[tokio::test]
async fn a_backlog_keeps_the_age_of_its_points_and_none_is_not_zero() {
    let server = CloudMonitoringServer::start().await.unwrap();
    for metric in [MESSAGES, OLDEST] {
        server.know(&format!("pubsub.googleapis.com/subscription/{metric}"));
    }
    let whole = |name: &'static str| async {
        let source = source(&server, PubSubBacklog::queries(name).unwrap()).await;
        PubSubBacklog::new(source, name).unwrap()
    };
    let tasks = whole("tasks").await;
    assert_eq!(known(&tasks.backlog(at(600)).await.unwrap()), [None, None]);
    server.add("alfred", series(MESSAGES, "tasks").with_int(at(420), 90).with_int(at(480), 120));
    server.add("alfred", series(OLDEST, "tasks").with_int(at(480), 33));
    server.add("alfred", series(MESSAGES, "tasks-dead").with_int(at(480), 9000));
    let backlog = tasks.backlog(at(600)).await.unwrap();
    assert_eq!(known(&backlog), [Some((120.0, 120)), Some((33.0, 120))]);
    let signals = tasks.read(at(600)).await.unwrap();
    assert_eq!((signals.queued, signals.in_flight), (backlog.messages, None));
    server.fail_next([MonitoringFault::Unavailable, MonitoringFault::Unavailable]);
    assert!(tasks.read(at(600)).await.is_err(), "an outage is no empty queue");
    for bad in ["", "projects/p/subscriptions/s", "9tasks", "a\"b"] {
        let error = PubSubBacklog::queries(bad).unwrap_err();
        assert!(error.to_string().contains("give the bare name"), "{error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn regions_are_summed_and_their_greatest_age_counts() {
    let server = CloudMonitoringServer::start().await.unwrap();
    for (region, messages, oldest, second) in [("europe-west1", 5, 10, 480), ("us-east1", 7, 90, 420)] {
        let of = |metric, value| {
            series(metric, "tasks").with_metric_label("region", region).with_int(at(second), value)
        };
        server.add("alfred", of("num_unacked_messages_by_region", messages));
        server.add("alfred", of("oldest_unacked_message_age_by_region", oldest));
    }
    let source = source(&server, PubSubBacklog::queries_by_region("tasks").unwrap()).await;
    let all = PubSubBacklog::by_region(Arc::clone(&source), "tasks").unwrap();
    assert_eq!(known(&all.backlog(at(600)).await.unwrap()), [Some((12.0, 180)), Some((90.0, 180))]);
    let one = |region| PubSubBacklog::by_region(Arc::clone(&source), "tasks").unwrap().in_region(region);
    let europe = one("europe-west1").backlog(at(600)).await.unwrap();
    assert_eq!(known(&europe), [Some((5.0, 120)), Some((10.0, 120))]);
    assert_eq!(known(&one("asia-east1").backlog(at(600)).await.unwrap()), [None, None]);
    server.stop().await;
}

#[tokio::test]
async fn by_default_the_kernel_does_not_believe_what_is_so_old() {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.add("alfred", series(MESSAGES, "tasks").with_int(at(480), 5000));
    server.add("alfred", series(OLDEST, "tasks").with_int(at(480), 33));
    let clock = SimulatedClock::starting_at(at(600));
    let context = JobContext::system().with_clock(clock.shared());
    for (stale_after, expected) in [(60, 0), (240, 1)] {
        let source = source(&server, PubSubBacklog::queries("tasks").unwrap()).await;
        let signals = Arc::new(PubSubBacklog::new(source, "tasks").unwrap());
        let service = Arc::new(MemoryScaler::new("agents", 0));
        let mut policy = Policy::default();
        policy.stale_after = Duration::from_secs(stale_after);
        let autoscaler = Autoscaler::new(Arc::<MemoryScaler>::clone(&service), signals, policy);
        autoscaler.tick(&context).await.unwrap();
        assert_eq!(service.current().await.unwrap().configured, expected, "stale after {stale_after} s");
    }
    server.stop().await;
}
