//! Queries of any text, evaluated at some times over series of every kind: an answer or an error, never a panic.

#![no_main]

use std::sync::OnceLock;

use alfred_ops_alerts::promql::notation::parse_series;
use alfred_ops_alerts::promql::{Query, QueryOptions, RecordedSeries};
use libfuzzer_sys::fuzz_target;

const SERIES: [&str; 8] = [
    "a{l=\"1\"} 0+1x20",
    "a{l=\"2\"} 5 3 NaN Inf -Inf 1e308 -1e308 0 _ stale 1",
    "b{l=\"1\",m=\"2\"} 7x20",
    "x_bucket{le=\"1\"} 0+1x20",
    "x_bucket{le=\"+Inf\"} 0+2x20",
    "x_bucket{le=\"nonsense\"} 1x20",
    "h{l=\"1\"} {{schema:0 sum:5 count:4 buckets:[1 2 1]}}+{{schema:0 sum:5 count:4 buckets:[1 2 1]}}x20",
    "h{l=\"2\"} {{schema:-53 sum:5 count:4 custom_values:[1 5] buckets:[1 2 1]}}x20",
];

fn series() -> &'static RecordedSeries {
    static RECORDED: OnceLock<RecordedSeries> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let mut recorded = RecordedSeries::new();
        for line in SERIES {
            if let Ok((labels, entries)) = parse_series(line) {
                recorded.push_entries(&labels, 0, 60_000, &entries);
            }
        }
        recorded
    })
}

fuzz_target!(|text: &str| {
    let Ok(query) = Query::parse(text) else { return };
    let options = QueryOptions::default().with_samples_max(50_000).with_steps_max(200);
    for at in [-1, 0, 600_000, i64::MAX / 2] {
        let _ = query.instant(series(), at, &options);
    }
    let _ = query.range(series(), (0, 1_200_000, 120_000), &options);
});
