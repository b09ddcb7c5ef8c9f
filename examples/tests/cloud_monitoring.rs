//! An alert on Pub/Sub's backlog, read from Google Cloud Monitoring, in simulated time.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_alerts::{AlertEngine, AlertState, MemorySink, Rule, Target};
use alfred_ops_core::cloud_monitoring::{CloudMonitoringSource, MetricQuery};
use alfred_ops_core::testing::servers::{CloudMonitoringServer, MonitoredSeries};
use alfred_ops_core::{Clock as _, SimulatedClock};
use chrono::{DateTime, TimeDelta, Utc};

const BACKLOG: &str = "pubsub.googleapis.com/subscription/num_undelivered_messages";
/// How long a point takes to become visible.
const LATE: TimeDelta = TimeDelta::minutes(3);

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

/// What becomes of an alert, minute by minute, on a subscription with a long queue from minute 0 to 9 that is then deleted.
async fn states(timed: bool) -> Vec<Option<AlertState>> {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.know(BACKLOG);
    let clock = SimulatedClock::starting_at(at(0));
    let query = MetricQuery::new(BACKLOG).with_window(Duration::from_secs(480));
    let source = CloudMonitoringSource::builder("alfred")
        .endpoint(server.endpoint())
        .query(query)
        .clock(clock.shared());
    let source = if timed { source } else { source.without_times() };
    let engine = AlertEngine::builder()
        .target(Target::in_process("google", "alfred", Arc::new(source.connect().await.unwrap())))
        .rules([Rule::new("BacklogLong", "pubsub_subscription_num_undelivered_messages > 1000")
            .with_for(Duration::from_secs(120))])
        .sink(Arc::new(MemorySink::new("memory")))
        .clock(clock.shared())
        .build()
        .unwrap();
    let mut states = Vec::new();
    for minute in 0..20 {
        let visible = at(minute) - LATE;
        if visible >= at(0) && visible < at(10) {
            let series = MonitoredSeries::new(BACKLOG, "pubsub_subscription");
            server.add(
                "alfred",
                series.with_resource_label("subscription_id", "tasks").with_int(visible, 1001),
            );
        }
        engine.step(clock.now()).await;
        states.push(engine.alerts().first().map(|alert| alert.state));
        clock.advance(Duration::from_secs(60));
    }
    server.stop().await;
    states
}

fn expected(fires: usize, ends: usize) -> Vec<Option<AlertState>> {
    let state = |minute| match minute {
        _ if minute < 3 => None,
        _ if minute < fires => Some(AlertState::Pending),
        _ if minute < ends => Some(AlertState::Firing),
        _ => Some(AlertState::Resolved),
    };
    (0..20).map(state).collect()
}

#[tokio::test]
async fn with_their_times_points_count_until_lookback_passes() {
    // The last point is of minute 9.
    assert_eq!(states(true).await, expected(5, 9 + 5));
}

#[tokio::test]
async fn without_their_times_points_count_as_long_as_the_window_shows_them() {
    assert_eq!(states(false).await, expected(5, 9 + 8));
}
