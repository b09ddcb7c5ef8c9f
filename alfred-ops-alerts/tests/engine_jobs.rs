//! The engine scrapes the jobs of a configuration, whose targets come and go.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod loopback;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_alerts::{
    AlertEngine, AlertState, DiscoveryConfig, FileDiscoveryConfig, MemorySink, PrometheusConfig, ReadOptions,
    Rule, RuleFile, ScrapeJob, TargetGroup, TargetHealth,
};
use alfred_ops_core::{Clock as _, SimulatedClock, SystemClock};
use chrono::{DateTime, TimeDelta};
use loopback::{Loopback, answer};
use tokio_util::sync::CancellationToken;

const TEXT: &[(&str, &str)] = &[("content-type", "text/plain; version=0.0.4")];
const OPEN_METRICS: &[(&str, &str)] = &[("content-type", "application/openmetrics-text; version=1.0.0")];

#[tokio::test]
async fn a_configuration_and_a_rule_file_become_alerts() {
    let queue = Arc::new(AtomicU32::new(5));
    let value = Arc::clone(&queue);
    let target = Loopback::start(move |_| {
        let page = format!(
            "# TYPE queue gauge\nqueue{{tier=\"a\"}} {}\nnoise 1\n# EOF\n",
            value.load(Ordering::SeqCst)
        );
        answer(200, OPEN_METRICS, page)
    })
    .await;
    let yaml = format!(
        "scrape_configs:\n- job_name: agents\n  static_configs:\n  - targets: ['{}', '127.0.0.1:1']\n  metric_relabel_configs:\n  \
         - {{source_labels: [tier], target_label: level}}\n  - {{regex: tier, action: labeldrop}}\n",
        target.address
    );
    let config = PrometheusConfig::from_yaml(&yaml, &ReadOptions::new("prometheus.yml")).unwrap();
    let rules = RuleFile::parse(
        "groups:\n- name: g\n  rules:\n  - alert: QueueLong\n    expr: queue{level=\"a\"} > 10\n  - alert: Down\n    expr: up == 0\n",
        &ReadOptions::new("rules.yml"),
    )
    .unwrap();
    let sink = Arc::new(MemorySink::new("memory"));
    let engine = AlertEngine::builder()
        .jobs(config_jobs(config))
        .rule_groups(rules.groups)
        .sink(Arc::<MemorySink>::clone(&sink))
        .build()
        .unwrap();
    let now = SystemClock::shared().now();
    let down = engine.step(now).await;
    assert_eq!(down.len(), 1, "{down:?}");
    assert_eq!(down[0].labels.get("instance"), Some("127.0.0.1:1"));
    queue.store(11, Ordering::SeqCst);
    let long = engine.step(now + TimeDelta::seconds(15)).await;
    assert_eq!(
        long[0].labels.to_string(),
        format!("{{alertname=\"QueueLong\",instance=\"{}\",job=\"agents\",level=\"a\"}}", target.address)
    );
    let status = engine.status();
    let of =
        |instance: &str| status.targets.iter().find(|status| status.instance == instance).unwrap().clone();
    assert_eq!((of(&target.address).health, of(&target.address).samples), (TargetHealth::Up, 2));
    assert_eq!(of("127.0.0.1:1").health, TargetHealth::Down);
    // What no rule looks at is not kept: of six series of each target only these.
    assert_eq!(status.samples.series, 3);
}

fn config_jobs(config: (PrometheusConfig, Vec<alfred_ops_alerts::FileProblem>)) -> Vec<ScrapeJob> {
    config.0.jobs
}

#[tokio::test]
async fn targets_come_and_go() {
    let (first, second) = (
        Loopback::start(|_| answer(200, TEXT, "m 1\n")).await,
        Loopback::start(|_| answer(200, TEXT, "m 1\n")).await,
    );
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("targets.json");
    let write = |address: &str| std::fs::write(&list, format!("[{{\"targets\": [\"{address}\"]}}]")).unwrap();
    let job = ScrapeJob::new("agents")
        .with_discovery(DiscoveryConfig::File(FileDiscoveryConfig::new([list.clone()])));
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let rules = [Rule::new("Here", "m == 1"), Rule::new("Asked", "up == 1")];
    let engine = AlertEngine::builder().jobs([job]).rules(rules).clock(clock.shared()).build().unwrap();
    for address in [&first.address, &second.address, &first.address] {
        write(address);
        clock.advance(Duration::from_secs(301));
        engine.step(clock.now()).await;
        let alerts = engine.alerts();
        let firing = alerts.iter().filter(|alert| alert.state == AlertState::Firing);
        let instances: Vec<&str> = firing.filter_map(|alert| alert.labels.get("instance")).collect();
        assert_eq!(instances, [address, address]);
    }
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop() {
    let target = Loopback::start(|_| answer(200, TEXT, "m 1\n")).await;
    let mut job =
        ScrapeJob::new("agents").with_discovery(DiscoveryConfig::Static(vec![TargetGroup::of_addresses(
            "0",
            [target.address.clone()],
        )]));
    (job.interval, job.timeout) = (Duration::from_millis(500), Duration::from_millis(500));
    let engine = AlertEngine::builder()
        .jobs([job])
        .rules([Rule::new("Here", "m == 1")])
        .evaluation_interval(Duration::from_millis(100))
        .build()
        .unwrap();
    let cancel = CancellationToken::new();
    let run = engine.run(cancel.clone());
    let drive = async {
        // A busy machine may miss a scrape or two.
        while engine.alerts().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(run, drive);
    ended.unwrap();
}
