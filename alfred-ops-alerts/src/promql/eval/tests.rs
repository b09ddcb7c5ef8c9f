//! What differed from a real Prometheus once; see `tests/differential`.

use crate::promql::notation::parse_series;
use crate::promql::{Answer, Query, QueryError, QueryOptions, RecordedSeries, Value};

const BUCKETS: [&str; 3] = [r#"b{le="1"} 5 5 NaN"#, r#"b{le="2"} 4 4 NaN"#, r#"b{le="+Inf"} 6 6 NaN"#];
const HISTOGRAMS: [&str; 2] = [
    "h {{schema:0 count:10 sum:10 buckets:[10]}} {{schema:0 count:2 sum:2 buckets:[2]}} {{schema:0 count:5 sum:5 buckets:[5]}}",
    "f 1 2 3",
];

fn answer(series: &[&str], query: &str) -> Result<Answer, QueryError> {
    let mut recorded = RecordedSeries::new();
    for line in series {
        let (labels, entries) = parse_series(line).unwrap();
        recorded.push_entries(&labels, 0, 60_000, &entries);
    }
    Query::parse(query)?.instant(&recorded, 60_000, &QueryOptions::default())
}

/// The labels and values of an answer at 1m, of series whose samples are a minute apart.
#[track_caller]
fn check(series: &[&str], query: &str, expected: &[&str]) {
    let Value::Vector(samples) = answer(series, query).unwrap().value else { panic!("{query} is no vector") };
    let shown: Vec<String> =
        samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect();
    assert_eq!(shown, expected, "{query}");
}

/// What is told beside the answer.
#[track_caller]
fn check_told(series: &[&str], query: &str, expected: &[&str]) {
    let annotations = answer(series, query).unwrap().annotations;
    let told: Vec<&str> = annotations.warnings().chain(annotations.infos()).collect();
    assert_eq!(told.len(), expected.len(), "{query}: {told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{query}: {told}");
    }
}

#[test]
fn ranges_and_texts_have_no_range_answer() {
    for (query, kind) in [("f[5m]", "range vector"), ("f[5m:1m]", "range vector"), ("'f'", "string")] {
        let query = Query::parse(query).unwrap();
        let answer = query.range(&RecordedSeries::new(), (0, 60_000, 1_000), &QueryOptions::default());
        assert!(answer.unwrap_err().message().contains(kind), "{query}");
    }
}

#[test]
fn infinity_limits_what_is_no_number() {
    check(&["f NaN NaN"], "clamp_max(f, -Inf)", &["{} -Inf"]);
    check(&["f NaN NaN"], "clamp_min(f, Inf)", &["{} +Inf"]);
    check(&["f NaN NaN"], "clamp_min(f, 1)", &["{} NaN"]);
}

#[test]
fn counted_values_lose_a_label_that_is_left_out() {
    check(&[r#"f{a="1",b="2"} 3 3"#], "count_values without (a) (\"a\", f)", &[r#"{b="2"} 1"#]);
    check(&[r#"f{a="1",b="2"} 3 3"#], "count_values by (a) (\"a\", f)", &[r#"{a="3"} 1"#]);
}

#[test]
fn an_offset_ends_with_its_duration() {
    check(&["f 2 3 5"], "f offset -1m ^ f", &["{} 125"]);
    check(&["f 2 3 5"], "f offset +1m * 10", &["{} 20"]);
}

#[test]
fn counts_that_are_no_numbers_reach_no_rank() {
    check(&BUCKETS, "histogram_quantile(0, b offset -1m)", &["{} 2"]);
}

#[test]
fn histograms_of_a_subquery_are_compared_one_by_one() {
    // The second sample starts anew, is met twice, and counts once: 2 of it, and 3 more.
    check(&HISTOGRAMS, "histogram_count(increase(h[3m:30s] @ 120)) > bool 7", &["{} 0"]);
}

#[test]
fn what_is_told_is_told_of_the_right_place() {
    check_told(
        &HISTOGRAMS,
        "stddev(({__name__=~'h|f'}))",
        &["ignored histogram in stddev aggregation (1:8)"],
    );
    check_told(&HISTOGRAMS, "quantile(0.5, h)", &["ignored histogram in quantile aggregation (1:15)"]);
    check_told(&HISTOGRAMS, "abs((h % h))", &["histogram % histogram (1:6)"]);
    check_told(&BUCKETS, "histogram_quantile((0.5), (b))", &["needed to be fixed for monotonicity"]);
}

#[test]
fn nothing_is_told_of_what_is_not_looked_at() {
    check_told(&[], "quantile_over_time(2, f[5m])", &[]);
    check_told(&HISTOGRAMS, "quantile_over_time(2, h[5m])", &[]);
    check_told(&HISTOGRAMS, "quantile_over_time(2, f[5m])", &["got 2 (1:20)"]);
    check_told(&BUCKETS, "histogram_quantile(-1, b)", &["got -1"]);
    check_told(&BUCKETS[..2], "histogram_quantile(0.5, b)", &[]);
    check_told(&HISTOGRAMS, "clamp(rate(f[5m]), 1, 0)", &["might not be a counter"]);
}
