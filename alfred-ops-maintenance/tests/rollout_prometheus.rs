//! Rollouts that a real Prometheus judges, by one query over all revisions.
//!
//! `scripts/test` unpacks Prometheus 3 and names its folder in `ALFRED_OPS_PROMETHEUS_BIN`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alfred_ops_core::{Clock as _, JobContext, MemoryStateStore, SystemClock, TaskSet};
use alfred_ops_maintenance::{
    MemoryRolloutTarget, MetricAnalysis, MetricCondition, Release, Rollout, RolloutEnd, RolloutPolicy,
};
use alfred_ops_scaling::{PrometheusOptions, PrometheusQuery, PrometheusSource};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const QUERY: &str = "sum by (revision) (rate(http_requests_total{code=~\"5..\"}[10s])) \
     / sum by (revision) (rate(http_requests_total[10s]))";
/// Errors of a revision among 100 requests between two scrapes.
const ERRORS: [(&str, u64); 3] = [("api-1", 1), ("good", 2), ("bad", 20)];

/// The metrics of a service that three revisions serve. Each look at them finds more requests.
async fn service(tasks: &TaskSet) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let looks = Arc::new(AtomicU64::new(0));
    let page = move || {
        let looks = looks.fetch_add(1, Ordering::Relaxed);
        let mut page = String::from("# TYPE http_requests_total counter\n");
        for (revision, errors) in ERRORS {
            for (code, count) in [(200, 100 - errors), (500, errors)] {
                let labels = format!("{{revision=\"{revision}\",code=\"{code}\"}}");
                page.push_str(&format!("http_requests_total{labels} {}\n", looks * count));
            }
        }
        async move { ([("content-type", "text/plain; version=0.0.4")], page) }
    };
    let stop = tasks.cancel_token().clone();
    let router = axum::Router::new().route("/metrics", axum::routing::get(page));
    tasks.spawn(async move {
        let serving = axum::serve(listener, router);
        stop.run_until_cancelled(std::future::IntoFuture::into_future(serving)).await;
    });
    address
}

/// A Prometheus of our own, killed when dropped.
struct Prometheus {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: &str) -> Self {
        let bin = std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN").unwrap_or_else(|| {
            panic!(
                "run the tests by scripts/test, which unpacks Prometheus, or set ALFRED_OPS_PROMETHEUS_BIN"
            )
        });
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let config = format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}\n\
             scrape_configs: [{{job_name: api, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(path("prometheus.yml"), config).unwrap();
        let child = Command::new(Path::new(&bin).join("prometheus"))
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url: format!("http://{address}"), _folder: folder }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the rollout of a candidate ends that Prometheus knows by this name.
async fn end_of(prometheus: &Prometheus, candidate: &str, silence: Duration) -> RolloutEnd {
    let mut policy = RolloutPolicy::default();
    (policy.steps, policy.passes) = (vec![50, 100], 2);
    (policy.interval, policy.silence) = (Duration::from_millis(500), silence);
    let query = PrometheusQuery::new("errors", QUERY).by_series();
    let source =
        PrometheusSource::new(&prometheus.url, [query], PrometheusOptions::default(), SystemClock::shared());
    let condition = MetricCondition::AtMostTimes { times: 3.0, or: 0.005 };
    let analysis = MetricAnalysis::new(source.unwrap(), "errors", condition).unwrap();
    let target = MemoryRolloutTarget::new("api-1", "app:1");
    let rollout = Rollout::builder("api", target, Arc::new(MemoryStateStore::default()))
        .policy(policy)
        .analysis(analysis)
        .build()
        .unwrap();
    let (context, clock) = (JobContext::system(), SystemClock::new());
    rollout.begin(&context, Release::new(candidate, "app:2").unwrap()).await.unwrap();
    loop {
        rollout.run(&context).await.unwrap();
        let state = rollout.book(&context).state().await.unwrap().unwrap();
        if let Some(end) = state.end() {
            return end.clone();
        }
        assert!(clock.monotonic() < Duration::from_secs(120), "{candidate}: it does not end");
        clock.sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn prometheus_tells_a_good_release_from_a_bad_one() {
    let tasks = TaskSet::new(&CancellationToken::new());
    let prometheus = Prometheus::start(&service(&tasks).await);
    // Prometheus has to start and to scrape a few times: until then there are no data, and nobody goes back.
    let patient = Duration::from_secs(60);
    assert_eq!(end_of(&prometheus, "good", patient).await, RolloutEnd::Promoted { left: String::new() });
    let end = end_of(&prometheus, "bad", patient).await;
    assert!(
        matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("errors: 0.") && reason.contains("is healthy")),
        "{end:?}"
    );
    let end = end_of(&prometheus, "silent", Duration::from_secs(2)).await;
    assert!(
        matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("no sample of silent")),
        "{end:?}"
    );
    tasks.shutdown().await;
}
