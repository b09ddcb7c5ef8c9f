//! Rules played over series that are written down.

use std::time::Duration;

use alfred_ops_core::{ErrorKind, Labels};
use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::Rule;
use crate::promql::RecordedSeries;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

/// One value a minute for each series: `_` for none, `x` for its end.
fn series(lines: &[(&str, &str)]) -> RecordedSeries {
    let mut recorded = RecordedSeries::new();
    for (job, values) in lines {
        let labels = Labels::metric("queue").with("job", job);
        for (minute, value) in (0..).zip(values.split(' ')) {
            let value = match value {
                "_" => continue,
                "x" => None,
                number => Some(number.parse::<f64>().unwrap().into()),
            };
            recorded.push(&labels, minute * 60_000, value);
        }
    }
    recorded
}

const MINUTE: Duration = Duration::from_secs(60);

/// Writes `job: began fired ended reason` in minutes for each episode.
fn check(rule: &Rule, lines: &[(&str, &str)], expected: &[&str]) -> Backtest {
    let steps = i64::try_from(lines[0].1.split(' ').count()).unwrap();
    let report = backtest(rule, &series(lines), at(0)..=at(steps - 1), MINUTE).unwrap();
    let minute = |time: DateTime<Utc>| (time - at(0)).num_minutes();
    let mut found = Vec::new();
    for history in &report.alerts {
        for Episode { began_at, fired_at, ended } in &history.episodes {
            let fired = fired_at.map_or("-".to_owned(), |at| minute(at).to_string());
            let ended = ended.map_or("-".to_owned(), |(at, reason)| format!("{} {reason:?}", minute(at)));
            let job = history.labels.get("job").unwrap();
            found.push(format!("{job}: {} {fired} {ended}", minute(*began_at)));
        }
    }
    assert_eq!(found, expected);
    report
}

fn long() -> Rule {
    Rule::new("Long", "queue > 10")
}

#[test]
fn it_says_when_alerts_would_have_stood() {
    check(&long(), &[("a", "1 11 11 1 11")], &["a: 1 1 3 Cleared", "a: 4 4 -"]);
    let two = long().with_for(MINUTE * 2);
    check(
        &two,
        &[("a", "11 11 1 11 11 11 1"), ("b", "1 1 11 11 11 x _")],
        &["a: 0 - 2 Cleared", "a: 3 5 6 Cleared", "b: 2 4 5 Vanished"],
    );
    check(&long().with_keep_firing_for(MINUTE * 3), &[("a", "11 1 1 11 1 1 1 1")], &["a: 0 0 7 Cleared"]);
    check(&long(), &[("a", "1 2 3")], &[]);
}

#[test]
fn it_counts_flaps_and_times() {
    let values = "11 1 11 11 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 11";
    let report = check(&long(), &[("a", values)], &["a: 0 0 1 Cleared", "a: 2 2 4 Cleared", "a: 21 21 -"]);
    assert_eq!((report.evaluations, report.failures, report.firings(), report.flaps()), (22, 0, 3, 1));
    let history = &report.alerts[0];
    assert_eq!(history.firing_time(at(23)), TimeDelta::minutes(1 + 2 + 2));
    assert_eq!(history.pending_time(at(23)), TimeDelta::zero());
    let text = report.to_string();
    assert!(text.starts_with("Long: 22 evaluations, 0 failed, fired 3 times, flapped 1 times\n"), "{text}");
    assert!(text.ends_with("fired at 1970-01-01 00:21:00 UTC, still stands"), "{text}");
}

#[test]
fn evaluations_without_an_answer_are_counted_and_change_nothing() {
    let rule = Rule::new("Twins", "sum by (job) (queue) > on () group_left () queue{job=~\"b|c\"}");
    let lines = [("a", "11 11 11"), ("b", "1 1 1"), ("c", "_ 1 _")];
    let report = backtest(&rule, &series(&lines), at(0)..=at(2), MINUTE).unwrap();
    assert_eq!((report.evaluations, report.failures), (3, 2));
    let (first, error) = report.first_failure.unwrap();
    assert_eq!(first, at(1));
    assert!(error.to_string().contains("duplicate series"), "{error}");
    assert_eq!(report.alerts[0].episodes[0].ended, None);
}

#[test]
fn what_cannot_be_played_is_refused() {
    let refused = |rule: &Rule, range, step| {
        backtest(rule, &RecordedSeries::new(), range, step).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(refused(&Rule::new("A", "("), at(0)..=at(1), MINUTE), Err(ErrorKind::InvalidInput));
    assert_eq!(refused(&long(), at(1)..=at(0), MINUTE), Err(ErrorKind::InvalidInput));
    assert_eq!(refused(&long(), at(0)..=at(1), Duration::ZERO), Err(ErrorKind::InvalidInput));
    assert_eq!(
        refused(&long(), at(0)..=at(999_999), Duration::from_secs(1)),
        Err(ErrorKind::ResourceExhausted)
    );
}
