//! Google's own Python libraries against the Cloud Monitoring server that the other tests rely on.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::blocking;
use alfred_ops_core::testing::Python;
use alfred_ops_core::testing::servers::{CloudMonitoringServer, MonitoredSeries};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

/// The libraries that the server was written against; newer ones are a decision. The first knows what may be asked, from
/// Google's description of the API, the second reads answers strictly, by Google's protocol buffers.
const LIBRARIES: [&str; 2] = ["google-api-python-client==2.202.0", "google-cloud-monitoring==2.32.0"];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_cloud_monitoring.py");

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn googles_python_libraries_find_what_google_documents() {
    let server = CloudMonitoringServer::start().await.unwrap();
    let series = |name: &str| {
        MonitoredSeries::new("custom.googleapis.com/load", "generic_task")
            .with_resource_label("task_id", name)
    };
    server.add("alfred", series("a").with_int(at(60), 1).with_int(at(120), 2).with_int(at(180), 3));
    server.add("alfred", series("b").with_metric_label("zone", "x").with_int(at(120), 40));
    let distribution = json!({ "distributionValue": {
        "count": "3", "mean": 1.5,
        "bucketOptions": { "explicitBuckets": { "bounds": [1.0, 2.0] } }, "bucketCounts": ["1", "2"],
    }});
    let other = MonitoredSeries::new("custom.googleapis.com/latency", "generic_task");
    server.add("alfred", other.of_kind("CUMULATIVE", "DISTRIBUTION").with_point(at(120), distribution));
    let deltas = MonitoredSeries::new("custom.googleapis.com/done", "generic_task").of_kind("DELTA", "INT64");
    server.add("alfred", deltas.with_int(at(120), 30).with_int(at(180), 60));
    let endpoint = server.endpoint().to_owned();
    let python = || Python::with(env!("CARGO_TARGET_TMPDIR"), &LIBRARIES);
    let printed = blocking(move || python().script(SCRIPT, &[&endpoint])).await.unwrap();
    assert_eq!(printed.trim(), "6 checks passed");
    server.stop().await;
}
