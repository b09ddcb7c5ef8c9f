//! What becomes of alerts after an outage, and what fits into a document.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{Document, ErrorKind, Labels};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::saved_state::{SavedRule, SavedState};
use super::*;
use crate::alert::{Alert, AlertState, Reason};
use crate::notify::{NotificationStatus, NotifiedAlert};
use crate::rule::AlertPart;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn rule(for_minutes: u64) -> AlertPart {
    AlertPart {
        on_change: false,
        for_duration: Duration::from_secs(60 * for_minutes),
        keep_firing_for: Duration::from_secs(60 * 5),
        annotations: Vec::new(),
        watched: None,
    }
}

fn alert(name: &str, state: AlertState) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", name)]),
        annotations: [("summary".to_owned(), "s".repeat(100))].into(),
        value: f64::INFINITY,
        state,
        reason: Reason::Held { since: at(100) },
        active_at: at(100),
        fired_at: (state != AlertState::Pending).then_some(at(100)),
        keep_firing_since: None,
        resolved_at: (state == AlertState::Resolved).then_some(at(110)),
        last_sent_at: None,
    }
}

/// Since when a pending alert of minute 100 counts after an outage between these minutes, or why it does not.
fn check(for_minutes: u64, (from, until): (i64, i64), expected: Result<i64, &str>) {
    let outage = Outage { from: at(from), until: at(until) };
    let found = restored(alert("A", AlertState::Pending), outage, &rule(for_minutes));
    let found = found.map(|alert| {
        let fires = alert.active_at + TimeDelta::minutes(i64::try_from(for_minutes).unwrap());
        assert_eq!(alert.reason, Reason::Waiting { until: fires });
        (alert.active_at - at(0)).num_minutes()
    });
    assert_eq!(
        found.map_err(|why| format!("{why:?}")),
        expected.map_err(str::to_owned),
        "{for_minutes} {from} {until}"
    );
}

#[test]
fn pending_alerts_go_on_as_in_prometheus() {
    // It had held for long enough.
    check(20, (120, 150), Ok(100));
    // 15 of 30 minutes remain: the outage does not count.
    check(30, (115, 135), Ok(120));
    // 5 of 20 minutes remain: they become 10.
    check(20, (115, 135), Ok(125));
    check(10, (101, 161), Ok(161));
    check(10, (101, 162), Err("OutageTooLong"));
    check(9, (101, 102), Err("WaitsTooBriefly"));
    // A clock that went back makes no outage.
    check(30, (115, 90), Ok(100));
}

#[test]
fn firing_alerts_outlive_any_outage_and_resolved_ones_their_retention() {
    let outage = |until| Outage { from: at(111), until: at(until) };
    let mut firing = alert("A", AlertState::Firing);
    assert_eq!(restored(firing.clone(), outage(9_999), &rule(0)), Ok(firing.clone()));
    firing.keep_firing_since = Some(at(108));
    let kept = restored(firing, outage(112), &rule(0)).unwrap();
    assert_eq!(kept.reason, Reason::KeptFiring { until: at(113) });
    let resolved = alert("A", AlertState::Resolved);
    assert!(restored(resolved.clone(), outage(125), &rule(0)).is_ok());
    assert!(restored(resolved, outage(126), &rule(0)).is_err());
}

fn told(name: &str) -> SavedTold {
    let alert = NotifiedAlert {
        status: NotificationStatus::Firing,
        labels: Labels::from_pairs([("alertname", name)]),
        annotations: BTreeMap::new(),
        value: 1.0,
        starts_at: at(100),
        ends_at: None,
    };
    SavedTold { group: alert.labels.clone(), last: at(100), firing: vec![SavedToldAlert::of(&alert)] }
}

fn saved(name: &str, state: AlertState) -> SavedRule {
    let rule =
        RuleKey { file: String::new(), group: "g".into(), name: name.into(), expr: "m".into(), nth: 0 };
    SavedRule { rule, alerts: SavedAlert::of(&alert(name, state)).into_iter().collect() }
}

#[test]
fn firing_alerts_and_what_was_told_come_first() {
    use AlertState::{Firing, Pending, Resolved};
    let rules = || vec![saved("P", Pending), saved("R", Resolved), saved("F", Firing), saved("F2", Firing)];
    let mut seen = Vec::new();
    for bytes_max in 0..4_000 {
        let state = SavedState::within(bytes_max, at(0), rules(), vec![told("F"), told("F2")]);
        assert!(serde_json::to_vec(&state).unwrap().len() < bytes_max + 200);
        let names: Vec<&str> = state.rules.iter().map(|saved| saved.rule.name.as_str()).collect();
        let told = state.told.iter().map(|told| told.group.get("alertname").unwrap());
        let line = format!(
            "{} told {} omitted {}",
            names.join(" "),
            told.collect::<Vec<_>>().join(" "),
            state.omitted
        );
        if seen.last() != Some(&line) {
            seen.push(line);
        }
    }
    assert_eq!(seen.first().map(String::as_str), Some(" told  omitted 4"));
    assert_eq!(seen.last().map(String::as_str), Some("P R F F2 told F F2 omitted 0"));
    // Nothing is said to have been told of an alert that is left out, and both firing ones come before the others.
    assert!(seen.iter().any(|line| line == "F told F omitted 3"), "{seen:#?}");
    assert!(seen.iter().any(|line| line == "F F2 told F F2 omitted 2"), "{seen:#?}");
}

#[test]
fn newer_forms_and_other_documents_are_refused() {
    let read = |value| SavedState::read(&Document::new("k", value, 1, at(0))).map_err(|error| error.kind());
    assert_eq!(read(json!({"format": 2})), Err(ErrorKind::Unsupported));
    assert_eq!(read(json!({"format": 1, "saved_at": "x"})), Err(ErrorKind::Corrupt));
    assert_eq!(read(json!([1])), Err(ErrorKind::Corrupt));
}

proptest! {
    #[test]
    fn what_is_saved_reads_back(value in any::<f64>(), seconds in 0i64..4_000_000_000, firing in any::<bool>()) {
        let mut alert = alert("A", if firing { AlertState::Firing } else { AlertState::Resolved });
        alert.value = value;
        alert.active_at = at(0) + TimeDelta::seconds(seconds);
        alert.keep_firing_since = firing.then_some(alert.active_at);
        alert.reason = if firing { Reason::Held { since: alert.active_at } } else { Reason::Cleared };
        let rule = RuleKey { file: "f".into(), group: "g".into(), name: "A".into(), expr: "m".into(), nth: 1 };
        let rules = vec![SavedRule { rule, alerts: SavedAlert::of(&alert).into_iter().collect() }];
        let state = SavedState::new(at(1), rules, vec![told("A")]);
        let document = Document::new("k", serde_json::to_value(&state).unwrap(), 1, at(0));
        let back = SavedState::read(&document).unwrap();
        prop_assert_eq!(&back, &state);
        let again = back.rules[0].alerts[0].alert();
        prop_assert_eq!(again.value.to_bits(), value.to_bits());
        prop_assert_eq!((again.active_at, again.reason), (alert.active_at, alert.reason));
    }
}
