//! Timelines of alerts.

use std::sync::RwLock;
use std::time::Duration;

use alfred_ops_core::Labels;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::promql::{Query, QueryOptions, Value};
use crate::{
    Alert, AlertBook, AlertState, Expr, RecordingRule, Rule, RuleGroup, RuleHealth, RuleSet, SampleStore,
    Selector, brief_rules,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn queue() -> Labels {
    Labels::metric("queue").with("job", "agents")
}

/// Runs a rule over one value each 15 s (`None` ends the series) and writes a line for each transition.
fn timeline(rule: Rule, values: &[Option<f64>]) -> Vec<String> {
    let rules = RuleSet::new([rule]).unwrap();
    let samples = RwLock::new(SampleStore::default());
    let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
    let mut lines = Vec::new();
    let mut now = at(0);
    for value in values {
        match value {
            Some(value) => drop(samples.write().unwrap().append(&queue(), now, *value)),
            None => samples.write().unwrap().mark_stale(&queue(), now),
        }
        for transition in evaluator.evaluate(&samples, now).transitions {
            let seconds = (transition.at - at(0)).num_seconds();
            lines.push(format!(
                "{seconds}: {} to {}: {:?}",
                transition.from, transition.to, transition.reason
            ));
        }
        now += TimeDelta::seconds(15);
    }
    lines
}

fn check(rule: Rule, values: &[Option<f64>], expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            // Times stand as seconds in the expectations: `@30` is 1970-01-01T00:00:30Z.
            line.split('@')
                .enumerate()
                .map(|(index, piece)| match index {
                    0 => piece.to_owned(),
                    _ => {
                        let (seconds, rest) = piece.split_once(' ').unwrap();
                        format!("{:?} {rest}", at(seconds.parse().unwrap()))
                    }
                })
                .collect()
        })
        .collect();
    assert_eq!(timeline(rule, values), expected);
}

fn long_queue() -> Rule {
    Rule::new("QueueLong", Expr::from(Selector::metric("queue")).above(10.0))
}

const HIGH: Option<f64> = Some(11.0);
const LOW: Option<f64> = Some(10.0);

#[test]
fn an_alert_is_pending_then_fires_then_resolves() {
    check(
        long_queue().with_for(Duration::from_secs(30)),
        &[LOW, HIGH, HIGH, HIGH, HIGH, LOW],
        &[
            "15: inactive to pending: Waiting { until: @45 }",
            "45: pending to firing: Held { since: @15 }",
            "75: firing to resolved: Cleared",
        ],
    );
}

#[test]
fn an_alert_that_clears_in_time_never_fires() {
    check(
        long_queue().with_for(Duration::from_secs(30)),
        &[HIGH, HIGH, LOW, HIGH],
        &[
            "0: inactive to pending: Waiting { until: @30 }",
            "30: pending to inactive: Cleared",
            "45: inactive to pending: Waiting { until: @75 }",
        ],
    );
}

#[test]
fn without_for_it_fires_at_once_and_again_after_it_resolved() {
    check(
        long_queue(),
        &[HIGH, LOW, HIGH],
        &[
            "0: inactive to firing: Held { since: @0 }",
            "15: firing to resolved: Cleared",
            "30: inactive to firing: Held { since: @30 }",
        ],
    );
}

#[test]
fn a_series_that_ends_resolves_its_alert_and_says_so() {
    check(
        long_queue(),
        &[HIGH, None],
        &["0: inactive to firing: Held { since: @0 }", "15: firing to resolved: Vanished"],
    );
}

#[test]
fn a_gap_shorter_than_keep_firing_for_does_not_resolve() {
    check(
        long_queue().with_keep_firing_for(Duration::from_secs(30)),
        &[HIGH, LOW, HIGH, LOW, LOW, LOW],
        &["0: inactive to firing: Held { since: @0 }", "75: firing to resolved: Cleared"],
    );
}

fn started(rules: impl IntoIterator<Item = Rule>) -> (RwLock<SampleStore>, RuleEvaluator) {
    let rules = RuleSet::new(rules).unwrap();
    (RwLock::new(SampleStore::default()), RuleEvaluator::new(&rules, &QueryOptions::default()))
}

#[test]
fn resolved_alerts_are_remembered_for_a_while() {
    let (samples, mut evaluator) = started([long_queue()]);
    samples.write().unwrap().append(&queue(), at(0), 11.0);
    for (seconds, resolved) in [(0, 0), (600, 1), (600 + 900, 1), (600 + 901, 0)] {
        evaluator.evaluate(&samples, at(seconds));
        assert_eq!(evaluator.book().in_state(AlertState::Resolved).count(), resolved, "{seconds}");
    }
    assert_eq!(evaluator.book().iter().count(), 0);
}

#[test]
fn labels_and_annotations_are_filled_in() {
    let rule = long_queue()
        .with_label("severity", "warning")
        .with_label("job", "override")
        .with_annotation("summary", "{{ $value }} wait in {{ $labels.job }}");
    let (samples, mut evaluator) = started([rule]);
    samples.write().unwrap().append(&queue(), at(0), 11.0);
    evaluator.evaluate(&samples, at(0));
    let book = evaluator.book();
    let alert = book.iter().next().unwrap();
    assert_eq!(alert.labels.to_string(), r#"{alertname="QueueLong",job="override",severity="warning"}"#);
    assert_eq!(alert.annotations["summary"], "11 wait in agents");
}

#[test]
fn a_rule_that_cannot_be_evaluated_keeps_its_alerts_and_says_why() {
    let (samples, mut evaluator) = started([Rule::new("Both", "queue / on () backlog > 0.5")]);
    let append = |job: &str, seconds| {
        let labels = Labels::metric("backlog").with("job", job);
        samples.write().unwrap().append(&labels, at(seconds), 11.0);
    };
    samples.write().unwrap().append(&queue(), at(0), 11.0);
    append("agents", 0);
    evaluator.evaluate(&samples, at(0));
    let book = evaluator.book();
    assert_eq!(book.in_state(AlertState::Firing).count(), 1);
    append("other", 15);
    let evaluation = evaluator.evaluate(&samples, at(15));
    assert_eq!(evaluator.book(), book);
    let RuleHealth::Failed(error) = &evaluation.reports[0].health else { panic!("{evaluation:?}") };
    assert!(
        error
            .to_string()
            .starts_with("evaluate query (Both): found duplicate series for the match group {} on the right"),
        "{error}"
    );
}

fn asked(samples: &RwLock<SampleStore>, query: &str, seconds: i64) -> Vec<String> {
    let query: Query = query.parse().unwrap();
    let store = samples.read().unwrap();
    let Value::Vector(found) =
        query.instant(&*store, seconds * 1000, &QueryOptions::default()).unwrap().value
    else {
        panic!("{query} is no vector");
    };
    let mut found: Vec<String> =
        found.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect();
    found.sort();
    found
}

#[test]
fn later_rules_see_what_earlier_ones_record_and_alerts_are_series_too() {
    let group = RuleGroup::new("g")
        .with_label("team", "platform")
        .with_rules([RecordingRule::new("job:queue:sum", "sum by (job) (queue)").with_label("kind", "sum")])
        .with_rules([Rule::new("Long", "job:queue:sum > 10").with_for(Duration::from_secs(15))])
        .with_rules([RecordingRule::new("long:count", "count(ALERTS{alertname=\"Long\"})")]);
    let rules = RuleSet::of_groups([group]).unwrap();
    let samples = RwLock::new(SampleStore::default());
    let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
    for (seconds, value) in [(0, 11.0), (15, 12.0), (30, 1.0)] {
        samples.write().unwrap().append(&queue(), at(seconds), value);
        evaluator.evaluate(&samples, at(seconds));
    }
    assert_eq!(
        asked(&samples, "job:queue:sum", 0),
        ["job:queue:sum{job=\"agents\",kind=\"sum\",team=\"platform\"} 11"]
    );
    let alert = |state: &str| {
        format!(
            "ALERTS{{alertname=\"Long\",alertstate=\"{state}\",job=\"agents\",kind=\"sum\",team=\"platform\"}} 1"
        )
    };
    assert_eq!(asked(&samples, "ALERTS", 0), [alert("pending")]);
    assert_eq!(asked(&samples, "ALERTS", 15), [alert("firing")]);
    assert_eq!(asked(&samples, "ALERTS", 30), [""; 0]);
    assert_eq!(asked(&samples, "ALERTS_FOR_STATE + 0", 15)[0].rsplit(' ').next(), Some("0"));
    assert_eq!(asked(&samples, "long:count", 15), ["long:count{team=\"platform\"} 1"]);
    assert_eq!(asked(&samples, "long:count", 30), [""; 0]);
}

#[test]
fn a_rule_beyond_its_limit_has_no_alerts() {
    let group = RuleGroup::new("g").with_limit(1).with_rules([Rule::new("Long", "queue > 10")]);
    let rules = RuleSet::of_groups([group]).unwrap();
    let samples = RwLock::new(SampleStore::default());
    let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
    samples.write().unwrap().append(&queue(), at(0), 11.0);
    evaluator.evaluate(&samples, at(0));
    assert_eq!(evaluator.book().iter().count(), 1);
    samples.write().unwrap().append(&queue().with("job", "other"), at(15), 11.0);
    let evaluation = evaluator.evaluate(&samples, at(15));
    assert_eq!(evaluator.book().iter().count(), 0);
    let RuleHealth::Failed(error) = &evaluation.reports[0].health else { panic!("{evaluation:?}") };
    assert!(error.to_string().contains("exceeded limit of 1 with 2 alerts"), "{error}");
}

#[test]
fn an_offset_lets_late_samples_come() {
    let group = RuleGroup::new("g")
        .with_query_offset(Duration::from_secs(60))
        .with_rules([RecordingRule::new("copy", "queue")]);
    let rules = RuleSet::of_groups([group]).unwrap();
    let samples = RwLock::new(SampleStore::default());
    let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
    samples.write().unwrap().append(&queue(), at(0), 11.0);
    evaluator.evaluate(&samples, at(59));
    assert_eq!(asked(&samples, "copy", 59), [""; 0]);
    evaluator.evaluate(&samples, at(60));
    assert_eq!(asked(&samples, "timestamp(copy)", 60), ["{job=\"agents\"} 0"]);
}

#[test]
fn the_rules_of_the_guide_fire_on_their_faults_and_on_nothing_else() {
    let rules = RuleSet::new(brief_rules()).unwrap();
    let names: Vec<&str> = rules.iter().map(crate::GroupRule::name).collect();
    // Page, growth of each counter per scrape, and the alerts expected after twenty minutes.
    let cases: [(&str, f64, &[&str]); 12] = [
        ("tasks_errors_total 2\ntasks_processed_total 8\n", 1.0, &["TaskFailureRatioHigh", "TaskFailures"]),
        ("tasks_errors_total 0.05\ntasks_processed_total 8\n", 1.0, &[]),
        ("tasks_errors_total 1\n", 1.0, &["TaskFailures"]),
        (
            "pg_stat_database_numbackends{datname=\"a\"} 45\npg_stat_database_numbackends{datname=\"b\"} 40\npg_settings_max_connections 100\n",
            0.0,
            &["DatabaseConnectionsHigh"],
        ),
        (
            "pg_stat_database_numbackends{datname=\"a\"} 40\npg_stat_database_numbackends{datname=\"b\"} 40\npg_settings_max_connections 100\n",
            0.0,
            &[],
        ),
        (
            "container_memory_usage_bytes{name=\"a\"} 9\ncontainer_spec_memory_limit_bytes{name=\"a\"} 10\n",
            0.0,
            &["ContainerMemoryHigh"],
        ),
        (
            "container_memory_usage_bytes{name=\"a\"} 9\ncontainer_spec_memory_limit_bytes{name=\"a\"} 0\n",
            0.0,
            &[],
        ),
        ("node_memory_MemAvailable_bytes 1\nnode_memory_MemTotal_bytes 10\n", 0.0, &["HostMemoryHigh"]),
        (
            "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 1.5\nnode_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 13.5\n",
            1.0,
            &["HostCpuHigh"],
        ),
        (
            "task_processing_duration_seconds_bucket{le=\"30\"} 1\ntask_processing_duration_seconds_bucket{le=\"60\"} 9\ntask_processing_duration_seconds_bucket{le=\"+Inf\"} 9\n",
            1.0,
            &["TaskProcessingSlow"],
        ),
        (
            "container_cpu_usage_seconds_total{name=\"a\"} 27\ncontainer_spec_cpu_quota{name=\"a\"} 2\ncontainer_spec_cpu_period{name=\"a\"} 1\n",
            1.0,
            &["ContainerCpuHigh"],
        ),
        ("up 0\n", 0.0, &["AgentDown"]),
    ];
    let mut fired = std::collections::BTreeSet::new();
    for (page, growth, expected) in cases {
        let page = alfred_ops_core::exposition::parse(page, &Default::default()).unwrap();
        let samples = RwLock::new(SampleStore::default());
        let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
        for step in 0..80_i32 {
            let now = at(i64::from(step) * 15);
            for sample in &page.samples {
                let labels = sample.labels.with("job", "agents").with("instance", "a:1");
                let value = sample.value * (1.0 + growth * f64::from(step));
                samples.write().unwrap().append(&labels, now, value);
            }
            evaluator.evaluate(&samples, now);
        }
        let book: AlertBook = evaluator.book();
        let firing: Vec<&str> = book.in_state(AlertState::Firing).map(Alert::name).collect();
        assert_eq!(firing, expected, "{page:?}");
        fired.extend(firing.iter().map(|name| (*name).to_owned()));
        for alert in book.in_state(AlertState::Firing) {
            assert!(alert.annotations["summary"].contains("a:1"), "{alert:?}");
        }
    }
    assert_eq!(fired.len(), names.len(), "{fired:?} of {names:?}");
}

proptest! {
    /// Whatever the values do: an alert fires exactly if its condition has held at every evaluation of its
    /// `for`, and steps only along the allowed edges.
    #[test]
    fn only_allowed_steps_are_taken(
        values in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![Just(10.0), Just(11.0)]), 0..60),
        hold in 0_u64..60,
        keep in 0_u64..60,
    ) {
        let rule = long_queue()
            .with_for(Duration::from_secs(hold)).with_keep_firing_for(Duration::from_secs(keep));
        let (samples, mut evaluator) = started([rule]);
        let mut held_for: Option<u64> = None;
        for (step, value) in (0_i64..).zip(&values) {
            let now = at(step * 15);
            match value {
                Some(value) => drop(samples.write().unwrap().append(&queue(), now, *value)),
                None => samples.write().unwrap().mark_stale(&queue(), now),
            }
            held_for = (*value == Some(11.0)).then(|| held_for.map_or(0, |seconds| seconds + 15));
            for transition in evaluator.evaluate(&samples, now).transitions {
                use AlertState::{Firing, Inactive, Pending, Resolved};
                let allowed = [(Inactive, Pending), (Inactive, Firing), (Pending, Firing), (Pending, Inactive), (Firing, Resolved)];
                prop_assert!(allowed.contains(&(transition.from, transition.to)), "{:?}", transition);
            }
            let fires = evaluator.book().in_state(AlertState::Firing).count() == 1;
            if held_for.is_some_and(|seconds| seconds >= hold) {
                prop_assert!(fires);
            } else if keep == 0 {
                prop_assert!(!fires);
            }
        }
    }
}
