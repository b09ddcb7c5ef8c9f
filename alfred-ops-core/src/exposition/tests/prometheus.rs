//! What Prometheus itself made of pages, odd ones and such with a few bytes changed at random.
//!
//! `prometheus.json` was recorded from scrapes by Prometheus 3.5.3: whether it took the page, and the series that it then
//! knew. Pages on which the two differ on purpose (`DESIGN.md`) are not among them.

use serde::Deserialize;

use super::super::{Format, Limits, Page};
use crate::Labels;

#[derive(Debug, Deserialize)]
struct Recorded {
    open_metrics: bool,
    page: String,
    /// The series and their values; none if the scrape failed.
    series: Option<Vec<(Labels, String)>>,
    /// Whether samples carry times, which were too old to be looked up.
    timed: bool,
}

#[test]
fn pages_are_read_and_refused_as_prometheus_does() {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("prometheus.json")).unwrap();
    assert!(recorded.len() > 400);
    let number = |value: f64| format!("{value:?}");
    for Recorded { open_metrics, page, series, timed } in recorded {
        let format = if open_metrics { Format::OpenMetrics } else { Format::Text };
        let ours = Page::read(&page, format, &Limits::default());
        assert_eq!(ours.is_ok(), series.is_some(), "{page:?}: {ours:?}");
        if let (Ok(ours), Some(series), false) = (ours, series, timed) {
            let mut theirs: Vec<_> =
                series.into_iter().map(|(labels, value)| (labels, number(value.parse().unwrap()))).collect();
            let mut ours: Vec<_> =
                ours.samples.into_iter().map(|sample| (sample.labels, number(sample.value))).collect();
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs, "{page:?}");
        }
    }
}
