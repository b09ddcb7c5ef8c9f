//! What Alertmanagers are told, and when.
//!
//! Two places of the specification need a reading. An alert that fires ends "at its start and four rounds": counted from
//! the start alone it would end while it is being sent, so it is four rounds from what is sent, as Prometheus and the
//! specification's own tests have it. And what is sent again is so after "more than" the delay and at the first evaluation
//! "more than or equal to" it: the second holds here, which says when it is due. Prometheus 3.5 holds to the first, and
//! sends, where the delay is a multiple of the interval, one interval later.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_alerts::{
    AlertEngine, AlertmanagerPolicy, MemoryAlertmanager, PostedAlert, ReadOptions, RelabelAction,
    RelabelRule, RelabelSpec, RuleFile, Target,
};
use alfred_ops_core::{ClosureSource, Labels, Sample, SimulatedClock, TaskSet};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

/// An engine over the gauges `x{i=…}` and an Alertmanager that keeps what it is told.
pub(crate) struct World {
    pub(crate) engine: AlertEngine,
    pub(crate) gauges: Arc<Mutex<Vec<(&'static str, f64)>>>,
    pub(crate) told: Arc<MemoryAlertmanager>,
}

impl World {
    /// `rules` is YAML below `rules:`.
    pub(crate) fn new(interval: i64, rules: &str, policy: AlertmanagerPolicy) -> Self {
        let text = format!("groups:\n- name: g\n  interval: {interval}s\n  rules:\n{rules}");
        let groups = RuleFile::parse(&text, &ReadOptions::new("rules.yml")).unwrap().groups;
        let gauges: Arc<Mutex<Vec<(&'static str, f64)>>> = Arc::default();
        let shared = Arc::clone(&gauges);
        let source = ClosureSource::new("x", move || {
            let gauge = |&(i, value): &(&str, f64)| {
                Sample::new(Labels::from_pairs([("__name__", "x"), ("i", i)]), value)
            };
            Ok(shared.lock().unwrap().iter().map(gauge).collect())
        });
        let told = Arc::new(MemoryAlertmanager::new("told"));
        let engine = AlertEngine::builder()
            .target(Target::in_process("j", "a:1", Arc::new(source)))
            .rule_groups(groups)
            .alertmanager(Arc::<MemoryAlertmanager>::clone(&told))
            .alertmanager_policy(policy)
            .clock(SimulatedClock::starting_at(at(0)).shared())
            .build()
            .unwrap();
        Self { engine, gauges, told }
    }

    /// Steps with these gauges, and returns what was sent.
    pub(crate) async fn step(&self, seconds: i64, gauges: &[(&'static str, f64)]) -> Vec<PostedAlert> {
        *self.gauges.lock().unwrap() = gauges.to_vec();
        self.engine.step(at(seconds)).await;
        self.told.take_alerts()
    }
}

/// What is sent when: `seconds labels annotations start..end`.
fn line(seconds: i64, alert: &PostedAlert) -> String {
    let annotations: String =
        alert.annotations.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let since = |time: DateTime<Utc>| (time - at(0)).num_seconds();
    let (start, end) = (since(alert.starts_at), since(alert.ends_at));
    format!("{seconds} {}{annotations} {start}..{end}", alert.labels)
}

/// What is sent if `x{i="a"}` has these values, one at each evaluation; zero is none.
async fn play(interval: i64, rules: &str, policy: AlertmanagerPolicy, values: &[u8]) -> Vec<String> {
    let world = World::new(interval, rules, policy);
    let mut lines = Vec::new();
    for (seconds, value) in (0..).step_by(usize::try_from(interval).unwrap()).zip(values) {
        let gauges: &[_] = if *value == 0 { &[] } else { &[("a", f64::from(*value))] };
        lines.extend(world.step(seconds, gauges).await.iter().map(|alert| line(seconds, alert)));
    }
    lines
}

/// Of an alert `A` without further labels.
async fn check(must: &str, interval: i64, rules: &str, values: &[u8], expected: &[&str]) {
    let lines = play(interval, rules, AlertmanagerPolicy::default(), values).await;
    let expected: Vec<String> =
        expected.iter().map(|line| line.replacen(' ', r#" {alertname="A"} "#, 1)).collect();
    assert_eq!(lines, expected, "{must}");
}

const ANY: &str = "  - {alert: A, expr: sum(x) > 0}\n";
const PATIENT: &str = "  - {alert: A, expr: sum(x) > 0, for: 2m}\n";

#[tokio::test]
async fn firing_alerts() {
    check(
        "a pending alert is not sent; a firing one when it begins to fire and after each delay, which is a minute; it \
         starts when it began to fire and is believed for four delays",
        60,
        PATIENT,
        &[1, 1, 1, 1, 1],
        &["120 120..360", "180 120..420", "240 120..480"],
    )
    .await;
    check(
        "the delay is a minimum: the first evaluation that is as late or later sends",
        25,
        ANY,
        &[1; 7],
        &["0 0..240", "75 0..315", "150 0..390"],
    )
    .await;
    check(
        "an evaluation exactly one delay later sends",
        15,
        ANY,
        &[1; 9],
        &["0 0..240", "60 0..300", "120 0..360"],
    )
    .await;
    check(
        "with an interval above the delay every evaluation sends, and four intervals are believed",
        90,
        ANY,
        &[1; 3],
        &["0 0..360", "90 0..450", "180 0..540"],
    )
    .await;
    check("an alert that resolves while it is pending is not sent", 60, PATIENT, &[1, 1, 0, 0], &[]).await;
}

#[tokio::test]
async fn the_delay_can_be_set() {
    let policy = AlertmanagerPolicy::default().with_resend_delay(Duration::from_secs(300));
    let lines = play(60, ANY, policy, &[1; 11]).await;
    let expected = ["0", "300", "600"].iter().zip([1200, 1500, 1800]);
    let expected: Vec<String> =
        expected.map(|(at, end)| format!(r#"{at} {{alertname="A"}} 0..{end}"#)).collect();
    assert_eq!(lines, expected);
    assert_eq!(AlertmanagerPolicy::default().resend_delay, Duration::from_secs(60));
}

#[tokio::test]
async fn inactive_alerts() {
    let mut values = vec![1, 1];
    values.extend([0; 20]);
    let resolved: Vec<String> = (2..17).map(|minute| format!("{} 0..120", minute * 60)).collect();
    let mut expected = vec!["0 0..240", "60 0..300"];
    expected.extend(resolved.iter().map(String::as_str));
    check(
        "a resolved alert is sent at once and after each delay, less than 15 minutes long; it starts when it began to \
         fire and ends when it resolved",
        60,
        ANY,
        &values,
        &expected,
    )
    .await;
    check(
        "it is sent at once even where the delay has not passed since it was sent firing",
        15,
        ANY,
        &[1, 0, 0, 0, 0, 0],
        &["0 0..240", "15 0..15", "75 0..15"],
    )
    .await;
    check(
        "it is not sent while a new one with its labels is pending, and the new one starts anew",
        60,
        PATIENT,
        &[1, 1, 1, 0, 0, 1, 1, 1, 0],
        &["120 120..360", "180 120..180", "240 120..180", "420 420..660", "480 420..480"],
    )
    .await;
    check("nor once a new one fires", 60, ANY, &[1, 0, 1], &["0 0..240", "60 0..60", "120 120..360"]).await;
    check(
        "one that is kept firing is sent as firing",
        60,
        "  - {alert: A, expr: sum(x) > 0, keep_firing_for: 2m}\n",
        &[1, 0, 0, 0],
        &["0 0..240", "60 0..300", "120 0..360", "180 0..180"],
    )
    .await;
}

#[tokio::test]
async fn nothing_is_sent_between_evaluations() {
    let world = World::new(60, ANY, AlertmanagerPolicy::default());
    assert_eq!(world.step(0, &[("a", 1.0)]).await.len(), 1);
    for seconds in [30, 60, 90, 600] {
        world.engine.scrape_once(at(seconds)).await;
        world.engine.deliver_once(at(seconds)).await;
    }
    assert!(world.told.take_alerts().is_empty());
    assert_eq!(world.step(601, &[("a", 1.0)]).await.len(), 1);
}

#[tokio::test]
async fn a_rule_that_fails_sends_nothing() {
    let same = "  - {alert: A, expr: x > 0, labels: {i: same, instance: '', job: ''}}\n  - {alert: B, expr: sum(x) > 0}\n";
    let world = World::new(60, same, AlertmanagerPolicy::default());
    let one = [("a", 1.0)];
    let two = [("a", 1.0), ("b", 1.0)];
    let mut lines = Vec::new();
    for (seconds, gauges) in [(0, &one[..]), (60, &two[..]), (120, &one[..])] {
        let names: Vec<_> =
            world.step(seconds, gauges).await.iter().map(|sent| sent.labels.to_string()).collect();
        lines.push(names.join(" "));
    }
    let both = r#"{alertname="A",i="same"} {alertname="B"}"#;
    assert_eq!(lines, [both, r#"{alertname="B"}"#, both]);
}

#[tokio::test]
async fn labels_and_annotations() {
    let rules = "  - alert: A\n    expr: x > 0\n    labels: {alertname: B, job: '', i: 'is {{ $labels.i }}'}\n    \
                 annotations: {s: 'x is {{ $value }}'}\n";
    let lines = play(60, rules, AlertmanagerPolicy::default(), &[7, 8, 0]).await;
    let labels = r#"{alertname="A",i="is a",instance="a:1"}"#;
    assert_eq!(
        lines,
        [
            format!("0 {labels} s=x is 7 0..240"),
            format!("60 {labels} s=x is 8 0..300"),
            format!("120 {labels} s=x is 8 0..120"),
        ],
        "labels and annotations are those of the alert: a label that came out empty is none, annotations are the latest"
    );
}

#[tokio::test]
async fn external_labels_and_relabelling() {
    let drop = RelabelSpec::new(RelabelAction::Drop).with_source_labels(["i"]).with_regex("b");
    let replace = RelabelSpec::default().with_source_labels(["cluster"]).with_target_label("copy");
    let policy = AlertmanagerPolicy::default()
        .with_external_label("cluster", "c1")
        .with_external_label("i", "other")
        .with_relabel_rule(RelabelRule::new(drop).unwrap())
        .with_relabel_rule(RelabelRule::new(replace).unwrap());
    let world = World::new(60, "  - {alert: A, expr: sum by (i) (x) > 0}\n", policy);
    let sent = world.step(0, &[("a", 1.0), ("b", 1.0)]).await;
    let labels: Vec<String> = sent.iter().map(|alert| alert.labels.to_string()).collect();
    assert_eq!(labels, [r#"{alertname="A",cluster="c1",copy="c1",i="a"}"#]);
    let shown = world.engine.alerts();
    assert_eq!(shown.len(), 2, "only what is sent is relabelled");
    assert!(shown.iter().all(|alert| alert.labels.get("cluster").is_none()));
}

#[tokio::test]
async fn the_format() {
    let rules =
        "  - alert: A\n    expr: sum(x) > 0\n    annotations: {s: text}\n  - {alert: B, expr: sum(x) > 0}\n";
    let policy = AlertmanagerPolicy::default().with_external_url("http://prom.example/sub/");
    let world = World::new(60, rules, policy);
    let sent = world.step(0, &[("a", 1.0)]).await;
    let url = "http://prom.example/sub/graph?g0.expr=sum%28x%29+%3E+0&g0.tab=1";
    let (start, end) = ("2024-10-04T00:00:00.000Z", "2024-10-04T00:04:00.000Z");
    assert_eq!(
        serde_json::to_value(&sent).unwrap(),
        json!([
            {"labels": {"alertname": "A"}, "annotations": {"s": "text"}, "startsAt": start, "endsAt": end,
             "generatorURL": url},
            {"labels": {"alertname": "B"}, "startsAt": start, "endsAt": end, "generatorURL": url},
        ])
    );
    let bare = World::new(60, ANY, AlertmanagerPolicy::default()).step(0, &[("a", 1.0)]).await;
    assert_eq!(
        serde_json::to_value(&bare).unwrap(),
        json!([{"labels": {"alertname": "A"}, "startsAt": start, "endsAt": end}]),
        "a link needs an address"
    );
}

/// What is sent at every evaluation says when evaluations are.
#[tokio::test]
async fn groups_are_evaluated_at_their_intervals() {
    let text = "groups:\n- {name: a, interval: 20s, rules: [{alert: A, expr: vector(1)}]}\n\
                - {name: b, rules: [{alert: B, expr: vector(1)}]}\n";
    let told = Arc::new(MemoryAlertmanager::new("told"));
    let clock = SimulatedClock::starting_at(at(0));
    let engine = AlertEngine::builder()
        .rule_groups(RuleFile::parse(text, &ReadOptions::new("rules.yml")).unwrap().groups)
        .evaluation_interval(Duration::from_secs(60))
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&told))
        .alertmanager_policy(AlertmanagerPolicy::default().with_resend_delay(Duration::ZERO))
        .clock(clock.shared())
        .build()
        .unwrap();
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine, cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    for _ in 0..35 {
        // Both groups sleep.
        while clock.sleepers() != 2 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(5));
    }
    cancel.cancel();
    run.await.unwrap().unwrap();
    let sent = told.take_alerts();
    let times = |name: &str, interval: i64| -> Vec<i64> {
        let of = sent.iter().filter(|alert| alert.labels.get("alertname") == Some(name));
        of.map(|alert| (alert.ends_at - at(0)).num_seconds() - 4 * interval).collect()
    };
    // Each has its own place within its interval, as in Prometheus.
    for (name, interval, expected) in [("A", 20, 8..=9), ("B", 60, 2..=3)] {
        let times = times(name, interval);
        assert!(expected.contains(&times.len()), "{name}: {times:?}; a minute if the group does not say");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == interval), "{name}: {times:?}");
    }
}
