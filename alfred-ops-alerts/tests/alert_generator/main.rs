//! The conditions of Prometheus' alert generator compliance specification 1.0, in simulated time. Each test names in our
//! words what the specification says MUST be.
//!
//! What concerns rules, alerts and the series that are made of them is in this file; `sending` has what Alertmanagers are
//! told and when, `apis` the two HTTP APIs, `templates` what labels and annotations may hold.
//!
//! Where the specification is at odds with itself or with Prometheus, `sending` says what we hold to. One condition holds
//! only where a host asks for it: groups without an interval are evaluated every minute if the engine's evaluation interval
//! is set to that; by default it is the platform's, 15 s.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod apis;
mod sending;
mod templates;

use std::sync::RwLock;

use alfred_ops_alerts::promql::notation::{Entry, parse_series};
use alfred_ops_alerts::promql::{Query, QueryOptions, Value};
use alfred_ops_alerts::{
    AlertState, Interest, ReadOptions, RuleEvaluator, RuleFile, RuleHealth, RuleSet, SampleStore, StoreLimits,
};
use alfred_ops_core::Labels;
use chrono::DateTime;

/// Samples and evaluations are a minute apart.
const STEP: i64 = 60_000;

/// What there is after one evaluation.
#[derive(Debug)]
struct Moment {
    /// `state labels annotations since`, sorted.
    alerts: Vec<String>,
    /// `labels value`, sorted: what `ALERTS` holds.
    series: Vec<String>,
    failed: bool,
}

/// The rules of one group, as YAML below `rules:`, over series in expanding notation.
fn play(rules: &str, series: &[&str], evaluations: i64) -> Vec<Moment> {
    let text = format!("groups:\n- name: g\n  rules:\n{rules}");
    let file = RuleFile::parse(&text, &ReadOptions::new("rules.yml")).unwrap();
    let rules = RuleSet::of_groups(file.groups).unwrap();
    let options = QueryOptions::default();
    let store = RwLock::new(SampleStore::new(StoreLimits::default(), Interest::everything(i64::MAX / 4)));
    let series: Vec<(Labels, Vec<Entry>)> = series.iter().map(|line| parse_series(line).unwrap()).collect();
    let mut evaluator = RuleEvaluator::new(&rules, &options);
    let written = Query::parse("ALERTS").unwrap();
    let one = |(number, place): (i64, usize)| {
        let at = number * STEP;
        let now = DateTime::from_timestamp_millis(at).unwrap();
        for (labels, entries) in &series {
            let mut store = store.write().unwrap();
            match entries.get(place) {
                Some(Entry::Value(value)) => {
                    store.append_value(labels, at, value);
                }
                Some(Entry::Stale) => store.mark_stale(labels, now),
                Some(Entry::Missing) | None => {}
            }
        }
        let evaluation = evaluator.evaluate(&store, now);
        let failed = evaluation.reports.iter().any(|report| matches!(report.health, RuleHealth::Failed(_)));
        let mut alerts: Vec<String> = evaluator
            .book()
            .iter()
            .map(|alert| {
                let annotations: Vec<String> =
                    alert.annotations.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                let since = alert.active_at.timestamp() / 60;
                format!("{} {}{} since {since}m", alert.state, alert.labels, annotations.concat())
            })
            .collect();
        alerts.sort();
        let Value::Vector(samples) = written.instant(&*store.read().unwrap(), at, &options).unwrap().value
        else {
            panic!("ALERTS is no vector")
        };
        let mut series: Vec<String> =
            samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect();
        series.sort();
        Moment { alerts, series, failed }
    };
    (0..evaluations).zip(0..).map(one).collect()
}

/// The alerts after each evaluation.
#[track_caller]
fn check(must: &str, rules: &str, series: &[&str], expected: &[&[&str]]) {
    let moments = play(rules, series, i64::try_from(expected.len()).unwrap());
    for (number, (moment, expected)) in moments.iter().zip(expected).enumerate() {
        assert_eq!(moment.alerts, *expected, "{must}: after {number}m");
    }
}

/// `ALERTS` after each evaluation.
#[track_caller]
fn check_series(must: &str, rules: &str, series: &[&str], expected: &[&[&str]]) {
    let moments = play(rules, series, i64::try_from(expected.len()).unwrap());
    for (number, (moment, expected)) in moments.iter().zip(expected).enumerate() {
        assert_eq!(moment.series, *expected, "{must}: after {number}m");
    }
}

#[test]
fn alerting_rules() {
    let accepted = |text: &str| RuleFile::parse(text, &ReadOptions::new("rules.yml"));
    let yaml = "groups:\n- name: g\n  interval: 30s\n  rules:\n  - alert: A\n    expr: up == 0\n    for: 10m\n    \
                labels: {severity: page}\n    annotations: {summary: Down}\n";
    let json = r#"{"groups": [{"name": "g", "interval": "30s", "rules": [{"alert": "A", "expr": "up == 0", "for": "10m",
        "labels": {"severity": "page"}, "annotations": {"summary": "Down"}}]}]}"#;
    let of_yaml = accepted(yaml).unwrap();
    assert_eq!(of_yaml.groups, accepted(json).unwrap().groups, "both forms are accepted");
    assert_eq!(of_yaml.groups[0].interval, Some(std::time::Duration::from_secs(30)));
    assert!(accepted(&yaml.replace("alert: A", "alert: ''")).is_err(), "an alert has a name");
    let twice = "groups:\n- {name: g, rules: []}\n- {name: g, rules: []}\n";
    assert!(accepted(twice).is_err(), "a group's name is unique within its file");
}

#[test]
fn constraints() {
    check(
        "what a rule records is there for the rules behind it in the same cycle, in the order of the file",
        "  - {record: doubled, expr: x * 2}\n  - {alert: A, expr: doubled > 2}\n  - {record: later, expr: x}\n",
        &["x 1 2"],
        &[&[], &[r#"firing {alertname="A"} since 1m"#]],
    );
    check(
        "what a rule behind records is there in the next cycle only",
        "  - {alert: A, expr: later > 1}\n  - {record: later, expr: x}\n",
        &["x 2 2"],
        &[&[], &[r#"firing {alertname="A"} since 1m"#]],
    );
}

#[test]
fn processing_of_results() {
    check(
        "1: each element makes an alert of its own, with its labels",
        "  - {alert: A, expr: x > 9}\n",
        &[
            r#"x{job="foo",status="500"} 10"#,
            r#"x{job="foo",status="400"} 18"#,
            r#"x{job="foo",status="200"} 1"#,
        ],
        &[&[
            r#"firing {alertname="A",job="foo",status="400"} since 0m"#,
            r#"firing {alertname="A",job="foo",status="500"} since 0m"#,
        ]],
    );
    check(
        "2: templates are run for each alert with the labels and the value of its element, and override its labels",
        "  - alert: A\n    expr: x > 9\n    labels: {job: 'of {{ $labels.job }}', level: '{{ $value }}'}\n    \
         annotations: {summary: '{{ $labels.job }}: {{ $value }}'}\n",
        &[r#"x{job="a"} 10"#, r#"x{job="b"} 12"#],
        &[&[
            r#"firing {alertname="A",job="of a",level="10"} summary=a: 10 since 0m"#,
            r#"firing {alertname="A",job="of b",level="12"} summary=b: 12 since 0m"#,
        ]],
    );
    check(
        "3: the rule's name overrides any alertname",
        "  - {alert: A, expr: x}\n",
        &[r#"x{alertname="B"} 1"#],
        &[&[r#"firing {alertname="A"} since 0m"#]],
    );
}

#[test]
fn equal_alerts_are_an_error() {
    let rules = "  - {alert: A, expr: x, labels: {job: same}}\n";
    let moments = play(rules, &[r#"x{job="a"} 1"#, r#"x{job="b"} 1"#], 1);
    assert!(moments[0].failed, "4: two alerts with the same labels are an error, which is told");
    assert!(moments[0].alerts.is_empty() && moments[0].series.is_empty(), "4: and nothing is made of them");
}

#[test]
fn pending() {
    check(
        "starts pending, stays so while less than `for` has passed, and fires as soon as it has",
        "  - {alert: A, expr: x > 0, for: 2m}\n",
        &["x 1x4"],
        &[
            &[r#"pending {alertname="A"} since 0m"#],
            &[r#"pending {alertname="A"} since 0m"#],
            &[r#"firing {alertname="A"} since 0m"#],
            &[r#"firing {alertname="A"} since 0m"#],
        ],
    );
    check(
        "annotations are the latest, pending and firing",
        "  - {alert: A, expr: x > 0, for: 1m, annotations: {s: 'is {{ $value }}'}}\n",
        &["x 1 2 3"],
        &[
            &[r#"pending {alertname="A"} s=is 1 since 0m"#],
            &[r#"firing {alertname="A"} s=is 2 since 0m"#],
            &[r#"firing {alertname="A"} s=is 3 since 0m"#],
        ],
    );
}

#[test]
fn firing() {
    check(
        "without `for` it fires the first time",
        "  - {alert: A, expr: x > 0}\n",
        &["x 0 1"],
        &[&[], &[r#"firing {alertname="A"} since 1m"#]],
    );
    check(
        "a `for` below the interval fires at the next evaluation, if it still holds there",
        "  - {alert: A, expr: x > 0, for: 10s}\n",
        &[r#"x{i="0"} 1 1"#, r#"x{i="1"} 1 0"#],
        &[
            &[r#"pending {alertname="A",i="0"} since 0m"#, r#"pending {alertname="A",i="1"} since 0m"#],
            &[r#"firing {alertname="A",i="0"} since 0m"#],
        ],
    );
}

#[test]
fn inactive() {
    check(
        "it is inactive as soon as it is not produced, and afterwards a new alert that waits again",
        "  - {alert: A, expr: x > 0, for: 1m}\n",
        &["x 1 1 0 1 1"],
        &[
            &[r#"pending {alertname="A"} since 0m"#],
            &[r#"firing {alertname="A"} since 0m"#],
            &[r#"resolved {alertname="A"} since 0m"#],
            &[r#"pending {alertname="A"} since 3m"#],
            &[r#"firing {alertname="A"} since 3m"#],
        ],
    );
    check(
        "a pending one as well; and so it does when its series ends",
        "  - {alert: A, expr: x > 0, for: 1m}\n",
        &["x 1 0 1 1 stale"],
        &[
            &[r#"pending {alertname="A"} since 0m"#],
            &[],
            &[r#"pending {alertname="A"} since 2m"#],
            &[r#"firing {alertname="A"} since 2m"#],
            &[r#"resolved {alertname="A"} since 2m"#],
        ],
    );
}

#[test]
fn series() {
    check_series(
        "an active alert makes a series of value 1 with its labels and its state, an inactive one none",
        "  - {alert: A, expr: x > 0, for: 1m, labels: {severity: page}}\n",
        &[r#"x{job="a"} 1 1 0"#],
        &[
            &[r#"ALERTS{alertname="A",alertstate="pending",job="a",severity="page"} 1"#],
            &[r#"ALERTS{alertname="A",alertstate="firing",job="a",severity="page"} 1"#],
            &[],
        ],
    );
    check_series(
        "`__name__` and `alertstate` override those of the alert",
        "  - {alert: A, expr: x, labels: {alertstate: very_critical}}\n",
        &[r#"x{alertstate="odd"} 1"#],
        &[&[r#"ALERTS{alertname="A",alertstate="firing"} 1"#]],
    );
    check(
        "its sample is as of the evaluation",
        "  - {alert: A, expr: x > 0}\n  - alert: B\n    expr: timestamp(ALERTS{alertname=\"A\"}) == time()\n    \
         labels: {alertstate: ''}\n",
        &["x 1 1"],
        &[&[r#"firing {alertname="A"} since 0m"#, r#"firing {alertname="B"} since 0m"#][..]; 2],
    );
    check(
        "it is there for the rules behind it in the same cycle",
        "  - {alert: A, expr: x > 0}\n  - {alert: B, expr: 'ALERTS{alertname=\"A\"}', labels: {alertstate: ''}}\n",
        &["x 1"],
        &[&[r#"firing {alertname="A"} since 0m"#, r#"firing {alertname="B"} since 0m"#]],
    );
}

#[test]
fn alerts_that_are_kept_firing_count_towards_a_limit() {
    let text = "groups:\n- name: g\n  limit: 1\n  rules:\n  - {alert: A, expr: x > 0, keep_firing_for: 5m}\n";
    let groups = RuleFile::parse(text, &ReadOptions::new("rules.yml")).unwrap().groups;
    let rules = RuleSet::of_groups(groups).unwrap();
    let store = RwLock::new(SampleStore::new(StoreLimits::default(), Interest::everything(i64::MAX / 4)));
    let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
    let labels = |i| Labels::from_pairs([("__name__", "x"), ("i", i)]);
    for (minute, [first, second], standing) in [(0, [1.0, 0.0], 1), (1, [0.0, 0.0], 1), (2, [0.0, 1.0], 0)] {
        let now = DateTime::from_timestamp(minute * 60, 0).unwrap();
        store.write().unwrap().append(&labels("0"), now, first);
        store.write().unwrap().append(&labels("1"), now, second);
        let evaluation = evaluator.evaluate(&store, now);
        assert_eq!(evaluator.book().in_state(AlertState::Firing).count(), standing, "after {minute}m");
        assert_eq!(matches!(evaluation.reports[0].health, RuleHealth::Failed(_)), standing == 0);
        assert!(standing > 0 || evaluation.transitions.is_empty());
    }
}
