//! The source of Cloud Monitoring's metrics against a server of its API.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::Duration;

use alfred_ops_core::cloud_monitoring::{
    Aligner, CloudMonitoringBuilder, CloudMonitoringSource, MetricQuery, Reducer,
};
use alfred_ops_core::testing::servers::{CloudMonitoringServer, MonitoredSeries, MonitoringFault};
use alfred_ops_core::{ErrorKind, MetricSource, Retry, Sample, SimulatedClock};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

const BACKLOG: &str = "pubsub.googleapis.com/subscription/num_undelivered_messages";
const ACKS: &str = "pubsub.googleapis.com/subscription/ack_message_count";
const REQUESTS: &str = "run.googleapis.com/request_count";
const LATENCIES: &str = "run.googleapis.com/request_latencies";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn backlog(subscription: &str, seconds: i64, messages: i64) -> MonitoredSeries {
    MonitoredSeries::new(BACKLOG, "pubsub_subscription")
        .with_resource_label("subscription_id", subscription)
        .with_int(at(seconds), messages)
}

/// A source that looks at second 600.
fn source(server: &CloudMonitoringServer) -> CloudMonitoringBuilder {
    CloudMonitoringSource::builder("alfred")
        .endpoint(server.endpoint())
        .clock(SimulatedClock::starting_at(at(600)).shared())
}

async fn ask(server: &CloudMonitoringServer, query: MetricQuery) -> alfred_ops_core::Result<Vec<Sample>> {
    source(server).query(query).connect().await?.collect().await
}

fn lines(samples: &[Sample]) -> Vec<String> {
    let age = |sample: &Sample| sample.timestamp.map(|time| (at(600) - time).num_seconds());
    samples.iter().map(|sample| format!("{} {} {:?}", sample.labels, sample.value, age(sample))).collect()
}

#[track_caller]
fn check(samples: alfred_ops_core::Result<Vec<Sample>>, expected: &[&str]) {
    assert_eq!(lines(&samples.unwrap()), expected);
}

#[tokio::test]
async fn the_latest_point_of_each_series_is_a_sample_with_its_age() {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.add("alfred", backlog("tasks-eu", 300, 3).with_int(at(360), 7).with_int(at(420), 12));
    server.add("alfred", backlog("tasks-us", 420, 0));
    // Nothing in the window: absence is not zero.
    server.add("alfred", backlog("tasks-old", 0, 9));
    server.add("other", backlog("tasks-eu", 420, 99));
    check(
        ask(&server, MetricQuery::new(BACKLOG)).await,
        &[
            r#"pubsub_subscription_num_undelivered_messages{project_id="alfred",subscription_id="tasks-eu"} 12 Some(180)"#,
            r#"pubsub_subscription_num_undelivered_messages{project_id="alfred",subscription_id="tasks-us"} 0 Some(180)"#,
        ],
    );
    let filtered = MetricQuery::new(BACKLOG)
        .with_filter(r#"resource.labels.subscription_id = starts_with("tasks-e") OR resource.type = "none""#)
        .with_name("backlog");
    check(
        ask(&server, filtered).await,
        &[r#"backlog{project_id="alfred",subscription_id="tasks-eu"} 12 Some(180)"#],
    );
    server.know(ACKS);
    check(
        ask(&server, MetricQuery::new(ACKS).with_alignment(Aligner::Rate, Duration::from_secs(60))).await,
        &[],
    );
    server.stop().await;
}

#[tokio::test]
async fn without_times_samples_are_as_of_now_and_their_age_is_one_of_them() {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.add("alfred", backlog("tasks-eu", 400, 12));
    server.add("alfred", backlog("tasks-us", 420, 1));
    server.know(ACKS);
    let queries = [
        MetricQuery::new(BACKLOG).with_filter(r#"resource.labels.subscription_id != "tasks-us""#),
        MetricQuery::new(BACKLOG),
        MetricQuery::new(ACKS).with_alignment(Aligner::Delta, Duration::from_secs(60)),
    ];
    let source = source(&server).queries(queries).without_times().connect().await.unwrap();
    // Series of overlapping filters come once.
    let samples = lines(&source.collect().await.unwrap());
    let (ages, values): (Vec<String>, Vec<String>) =
        samples.into_iter().partition(|line| line.starts_with("cloud_"));
    assert_eq!(
        values,
        [
            r#"pubsub_subscription_num_undelivered_messages{project_id="alfred",subscription_id="tasks-eu"} 12 None"#,
            r#"pubsub_subscription_num_undelivered_messages{project_id="alfred",subscription_id="tasks-us"} 1 None"#,
        ]
    );
    let ages: Vec<&str> = ages.iter().filter_map(|line| line.split("} ").nth(1)).collect();
    assert_eq!(ages, ["200 None", "180 None"], "none of a metric without points");
    server.stop().await;
}

#[tokio::test]
async fn every_kind_of_value_becomes_what_rules_expect() {
    let server = CloudMonitoringServer::start().await.unwrap();
    let metric = |name: &str, kind, value_type, value: Value| {
        let series = MonitoredSeries::new(format!("custom.googleapis.com/{name}"), "global");
        series.of_kind(kind, value_type).with_metric_label("project_id", "mine").with_point(at(540), value)
    };
    server.add("alfred", metric("load", "GAUGE", "DOUBLE", json!({ "doubleValue": 0.75 })));
    server.add("alfred", metric("nan", "GAUGE", "DOUBLE", json!({ "doubleValue": "NaN" })));
    server.add("alfred", metric("up", "GAUGE", "BOOL", json!({ "boolValue": true })));
    server.add("alfred", metric("done", "CUMULATIVE", "INT64", json!({ "int64Value": "9007199254740993" })));
    server.add("alfred", metric("version", "GAUGE", "STRING", json!({ "stringValue": "1.2" })));
    let of = |name: &str| MetricQuery::new(format!("custom.googleapis.com/{name}"));
    let line = |name: &str, value: &str| {
        format!(r#"custom_{name}{{metric_project_id="mine",project_id="alfred"}} {value} Some(60)"#)
    };
    for (name, value) in [("load", "0.75"), ("nan", "NaN"), ("up", "1"), ("done", "9007199254740992")] {
        check(ask(&server, of(name)).await, &[&line(name, value)]);
    }
    let error = ask(&server, of("version")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("custom.googleapis.com/version"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn distributions_become_classic_histograms() {
    let server = CloudMonitoringServer::start().await.unwrap();
    let distribution = json!({ "distributionValue": {
        "count": "6", "mean": 40.5,
        "bucketOptions": { "exponentialBuckets": { "numFiniteBuckets": 2, "growthFactor": 2.0, "scale": 16.0 } },
        "bucketCounts": ["1", "2", "2", "1"],
    }});
    let series = MonitoredSeries::new(LATENCIES, "cloud_run_revision").of_kind("CUMULATIVE", "DISTRIBUTION");
    server.add("alfred", series.with_resource_label("service_name", "bot").with_point(at(540), distribution));
    check(
        ask(&server, MetricQuery::new(LATENCIES)).await,
        &[
            r#"run_request_latencies_bucket{le="16.0",project_id="alfred",service_name="bot"} 1 Some(60)"#,
            r#"run_request_latencies_bucket{le="32.0",project_id="alfred",service_name="bot"} 3 Some(60)"#,
            r#"run_request_latencies_bucket{le="64.0",project_id="alfred",service_name="bot"} 5 Some(60)"#,
            r#"run_request_latencies_bucket{le="+Inf",project_id="alfred",service_name="bot"} 6 Some(60)"#,
            r#"run_request_latencies_sum{project_id="alfred",service_name="bot"} 243 Some(60)"#,
            r#"run_request_latencies_count{project_id="alfred",service_name="bot"} 6 Some(60)"#,
        ],
    );
    server.stop().await;
}

#[tokio::test]
async fn deltas_are_counted_by_cloud_monitoring() {
    let server = CloudMonitoringServer::start().await.unwrap();
    for (service, code, first) in [("bot", "200", 60), ("bot", "500", 6), ("intel", "200", 30)] {
        let series = MonitoredSeries::new(REQUESTS, "cloud_run_revision").of_kind("DELTA", "INT64");
        server.add(
            "alfred",
            series
                .with_resource_label("service_name", service)
                .with_metric_label("response_code", code)
                .with_int(at(360), first)
                .with_int(at(420), 2 * first)
                .with_int(at(600), 1),
        );
    }
    let error = ask(&server, MetricQuery::new(REQUESTS)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("with_alignment(Aligner::Rate"), "{error}");
    let minute = Duration::from_secs(60);
    let rate = MetricQuery::new(REQUESTS).with_alignment(Aligner::Rate, 2 * minute).with_offset(3 * minute);
    let summed = rate.clone().with_reduction(Reducer::Sum, ["resource.labels.service_name"]);
    check(
        ask(&server, rate).await,
        &[
            r#"run_request_count{project_id="alfred",response_code="200",service_name="bot"} 1.5 Some(180)"#,
            r#"run_request_count{project_id="alfred",response_code="200",service_name="intel"} 0.75 Some(180)"#,
            r#"run_request_count{project_id="alfred",response_code="500",service_name="bot"} 0.15 Some(180)"#,
        ],
    );
    check(
        ask(&server, summed).await,
        &[
            r#"run_request_count{project_id="alfred",service_name="bot"} 1.65 Some(180)"#,
            r#"run_request_count{project_id="alfred",service_name="intel"} 0.75 Some(180)"#,
        ],
    );
    let delta = MetricQuery::new(REQUESTS)
        .with_filter(r#"metric.labels.response_code = "500""#)
        .with_alignment(Aligner::Delta, minute);
    check(
        ask(&server, delta).await,
        &[r#"run_request_count{project_id="alfred",response_code="500",service_name="bot"} 1 Some(0)"#],
    );
    server.stop().await;
}

#[tokio::test]
async fn pages_are_put_together_and_bounded() {
    let server = CloudMonitoringServer::start().await.unwrap();
    for index in 0..10_i64 {
        let series = (0..3).fold(backlog(&format!("s{index}"), 300, index), |series, step| {
            series.with_int(at(360 + 60 * step), index + 10 * (step + 1))
        });
        server.add("alfred", series);
    }
    let paged = |size| source(&server).query(MetricQuery::new(BACKLOG)).page_size(size);
    // The points of one series lie on several pages: the latest counts.
    let samples = paged(7).connect().await.unwrap().collect().await.unwrap();
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    assert_eq!(values, (30..40).map(f64::from).collect::<Vec<_>>());
    assert_eq!(server.requests(), 6);
    let error = paged(3).connect().await.unwrap().collect().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::ResourceExhausted, Retry::Never));
    assert!(error.to_string().contains("more than 10 pages of 3 points"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn what_the_api_refuses_says_what_to_do() {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.add("alfred", backlog("tasks", 420, 1));
    for (fault, kind, again, remedy) in [
        (MonitoringFault::Denied, ErrorKind::PermissionDenied, false, "roles/monitoring.viewer"),
        (MonitoringFault::QuotaExceeded, ErrorKind::Unavailable, true, "ask less often"),
        (MonitoringFault::Unavailable, ErrorKind::Unavailable, true, "the next collection asks again"),
        (MonitoringFault::Incomplete, ErrorKind::Unavailable, true, "Some shards did not answer"),
        (MonitoringFault::Garbled, ErrorKind::Corrupt, false, "not understood"),
    ] {
        server.fail_next([fault]);
        let before = server.requests();
        let error = ask(&server, MetricQuery::new(BACKLOG)).await.unwrap_err();
        assert_eq!((error.kind(), matches!(error.retry(), Retry::After(_))), (kind, again), "{error}");
        assert!(error.to_string().contains(remedy), "{error}");
        assert!(error.to_string().contains(BACKLOG), "{error}");
        assert_eq!(server.requests() - before, 1, "nothing is repeated here");
    }
    let wrong = MetricQuery::new(BACKLOG).with_filter("resource.labels.subscription_id ~ 7");
    assert_eq!(ask(&server, wrong).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let unknown = ask(&server, MetricQuery::new("custom.googleapis.com/none")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert!(unknown.to_string().contains("from its first point on"), "{unknown}");
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.fail_next([MonitoringFault::Hang]);
    let clock = SimulatedClock::starting_at(at(600));
    let source =
        source(&server).clock(clock.shared()).query(MetricQuery::new(BACKLOG)).connect().await.unwrap();
    let (answer, ()) = tokio::join!(source.collect(), async {
        // The deadline is all that is waited for.
        while clock.sleepers() == 0 || server.requests() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(10));
    });
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::After(None)));
    assert!(error.to_string().contains("cloud-monitoring/alfred"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn series_that_would_be_one_are_refused() {
    let server = CloudMonitoringServer::start().await.unwrap();
    server.add("alfred", backlog("tasks", 420, 1));
    let other =
        MonitoredSeries::new(BACKLOG, "pubsub_snapshot").with_resource_label("subscription_id", "tasks");
    server.add("alfred", other.with_int(at(420), 2));
    let error = ask(&server, MetricQuery::new(BACKLOG)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("resource.type"), "{error}");
    let one = MetricQuery::new(BACKLOG).with_filter(r#"resource.type = "pubsub_snapshot""#);
    assert_eq!(ask(&server, one).await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn all_mistakes_are_told_at_once() {
    let second = Duration::from_secs(1);
    let queries = [
        MetricQuery::new("backlog").with_name("a b"),
        MetricQuery::new(BACKLOG).with_window(second).with_reduction(Reducer::Sum, ["resource.labels.zone"]),
        MetricQuery::new(ACKS).with_alignment(Aligner::Rate, second),
        MetricQuery::new(LATENCIES).with_alignment(Aligner::Percentile50, 60 * second),
        MetricQuery::new(LATENCIES).with_alignment(Aligner::Percentile99, 60 * second),
    ];
    let builder = CloudMonitoringSource::builder("projects/alfred").queries(queries).page_size(0);
    let error = builder.concurrency_max(0).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    for problem in [
        "\"projects/alfred\" is no project",
        "metric \"backlog\": it is no metric type",
        "\"a b\" is no metric name",
        "window: 1s is not within",
        "needs an alignment",
        "the period 1s is not within",
        "are both run_request_latencies",
        "page_size: 0",
        "concurrency_max",
    ] {
        assert!(error.to_string().contains(problem), "{problem}: {error}");
    }
    assert!(CloudMonitoringSource::builder("alfred").connect().await.is_err(), "without a query");
}
