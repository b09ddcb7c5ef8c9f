//! Explanations as a person reads them.

use alfred_ops_core::Labels;
use chrono::DateTime;

use super::*;
use crate::promql::{Query, QueryOptions, RecordedSeries};

fn source() -> RecordedSeries {
    let mut recorded = RecordedSeries::new();
    let series = [
        ("used", [("db", "a")], 45.0),
        ("used", [("db", "b")], 95.0),
        ("limit", [("db", "a")], 100.0),
        ("limit", [("db", "c")], 100.0),
        ("server_limit", [("server", "s")], 100.0),
    ];
    for (name, labels, value) in series {
        let labels = labels.iter().fold(Labels::metric(name), |all, (name, value)| all.with(name, value));
        for millis in [-30_000, 0] {
            recorded.push(&labels, millis, Some(value.into()));
        }
    }
    recorded
}

fn explained(query: &str, about: &Labels) -> Explanation {
    let query: Query = query.parse().unwrap();
    explain(&query, &source(), DateTime::UNIX_EPOCH, about, &QueryOptions::default())
}

fn check(query: &str, expected: &str) {
    assert_eq!(explained(query, &Labels::empty()).to_string(), expected.trim());
}

#[test]
fn a_comparison_tells_the_nearest_miss() {
    check(
        "used / on (db) limit > 0.5",
        r#"
used / on (db) limit > 0.5: nothing
  - 0 of 1 pass; nearest miss {db="a"}: 0.45 > 0.5 does not hold
  used / on (db) limit: 1 sample
    - 1 of 2 on the left meet the other side, not used{db="b"}; 1 of 2 on the right meet the other side, not limit{db="c"}
    - {db="a"} 0.45
    used: 2 samples
      - 2 series meet all conditions, 2 meet __name__="used"
      - used{db="a"} 45
      - used{db="b"} 95
    limit: 2 samples
      - 2 series meet all conditions, 2 meet __name__="limit"
      - limit{db="a"} 100
      - limit{db="c"} 100"#,
    );
}

#[test]
fn sides_that_all_meet_are_compared() {
    let explanation = explained("sum(used) > on () server_limit * 2", &Labels::empty());
    let Some(Insight::Comparison(compared)) = &explanation.insight else { panic!("{explanation}") };
    assert_eq!(compared.to_string(), "0 of 1 pass; nearest miss {}: 140 > 200 does not hold");
}

#[test]
fn a_join_that_never_meets_is_the_culprit() {
    let explanation = explained("(used / server_limit) > 0.9 and vector(1)", &Labels::empty());
    let culprits: Vec<&str> = explanation.culprits().into_iter().map(|part| part.text.as_str()).collect();
    assert_eq!(culprits, ["used / server_limit"]);
    let Some(Insight::Join(joined)) = &explanation.culprits()[0].insight else { panic!("{explanation}") };
    assert_eq!((joined.left.meeting, joined.left.samples, joined.right.samples), (0, 2, 1));
}

#[test]
fn a_selector_tells_which_condition_nobody_meets() {
    check(
        "rate(used{db=\"z\"}[5m])",
        r#"
rate(used{db="z"}[5m]): nothing
  used{db="z"}[5m]: nothing
    - 0 series meet all conditions, 2 meet __name__="used", 0 meet db="z""#,
    );
}

#[test]
fn what_is_asked_about_is_shown() {
    let about = Labels::from_pairs([("alertname", "Full"), ("db", "a")]);
    let explanation = explained("used > 100", &about);
    let Some(Insight::Comparison(compared)) = &explanation.insight else { panic!("{explanation}") };
    assert_eq!((compared.compared, compared.passing), (2, 0));
    assert_eq!(compared.nearest_miss.as_ref().map(|miss| miss.left), Some(45.0));
    assert_eq!((explanation.parts[0].samples, explanation.parts[0].examples.len()), (2, 1));
    // The one that came nearest of all is another.
    let explanation = explained("used > 100", &Labels::empty());
    let Some(Insight::Comparison(compared)) = &explanation.insight else { panic!("{explanation}") };
    assert_eq!(compared.nearest_miss.as_ref().map(|miss| miss.left), Some(95.0));
}

#[test]
fn a_part_without_an_answer_says_why() {
    let explanation = explained("count(used * on () limit) > 0", &Labels::empty());
    assert!(explanation.to_string().contains("used * on () limit: no answer: "), "{explanation}");
    assert!(explanation.error.is_some());
}

fn count(part: &Explanation) -> usize {
    1 + part.parts.iter().map(count).sum::<usize>()
}

#[test]
fn a_great_expression_is_cut() {
    let mut query = "used".to_owned();
    for _ in 0..7 {
        query = format!("({query} or {query})");
    }
    let explanation = explained(&query, &Labels::empty());
    assert_eq!((explanation.samples, count(&explanation)), (2, 200));
}
