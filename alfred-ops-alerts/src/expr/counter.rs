//! How much a counter grew.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::Series;

/// How much a counter grew in the last `window`, extrapolated to the whole window as Prometheus does.
///
/// A value below the one before is a restart from zero. Nothing with fewer than two samples: a counter that
/// first shows at 1 has not been seen to grow.
pub(super) fn increase(series: &Series, now: DateTime<Utc>, window: Duration) -> Option<f64> {
    let mut points = series.range(now, window).filter(|point| !point.is_stale());
    let first = points.next()?;
    let (mut last, mut intervals, mut resets) = (first, 0.0, 0.0);
    for point in points {
        if point.value < last.value {
            resets += last.value;
        }
        last = point;
        intervals += 1.0;
    }
    if intervals < 1.0 {
        return None;
    }
    let growth = last.value - first.value + resets;
    let sampled = seconds(last.millis - first.millis);
    let average_interval = sampled / intervals;
    let window_end = now.timestamp_millis();
    // A gap at an end of the window that is hardly longer than the usual interval comes from the times of
    // scraping; a longer one means that the series began or ended there, and only half an interval is added.
    let gap_max = average_interval * 1.1;
    let reach = |gap: f64| if gap >= gap_max { average_interval / 2.0 } else { gap };
    let mut before = reach(window.as_secs_f64() - seconds(window_end - first.millis));
    if growth > 0.0 && first.value >= 0.0 {
        // A counter cannot have been below zero: it began at most this long before its first sample.
        before = before.min(sampled * (first.value / growth));
    }
    let after = reach(seconds(window_end - last.millis));
    Some(growth * (sampled + before + after) / sampled)
}

#[expect(clippy::cast_precision_loss, reason = "windows are far below 2^53 milliseconds")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::Labels;
    use chrono::TimeDelta;

    use super::*;
    use crate::store::{SampleStore, Selector};

    fn check(values: &[f64], step: i64, expected: Option<f64>) {
        let mut store = SampleStore::default();
        let mut now = DateTime::UNIX_EPOCH;
        for value in values {
            now += TimeDelta::seconds(step);
            store.append(&Labels::metric("c"), now, *value);
        }
        let selector = Selector::metric("c");
        let actual =
            store.select(&selector).find_map(|series| increase(series, now, Duration::from_secs(300)));
        match (actual, expected) {
            (Some(actual), Some(expected)) => {
                assert!((actual - expected).abs() < 1e-9, "{values:?}: {actual}, not {expected}");
            }
            (actual, expected) => assert_eq!(actual, expected, "{values:?}"),
        }
    }

    #[test]
    fn growth_is_extrapolated_to_the_window() {
        // Samples every 60 s, five in the window (60 … 300 s) cover 240 s; the gap of 60 s to the start of the
        // window is below 1.1 intervals, so 4 × 10 grow to 50, but not below zero at the start.
        check(&[10.0, 20.0, 30.0, 40.0, 50.0], 60, Some(50.0));
        check(&[0.0, 10.0, 20.0, 30.0, 40.0], 60, Some(40.0));
    }

    #[test]
    fn a_restart_counts_from_zero() {
        // 100→110→5→15→25: 10 + 5 + 10 + 10.
        check(&[100.0, 110.0, 5.0, 15.0, 25.0], 60, Some(35.0 * 300.0 / 240.0));
    }

    #[test]
    fn one_sample_shows_no_growth() {
        check(&[5.0], 60, None);
        check(&[], 60, None);
    }

    #[test]
    fn a_series_that_began_inside_the_window_gains_half_an_interval() {
        // Two samples 15 s apart, at 15 s and 30 s … of a window that starts far before.
        check(&[100.0, 115.0], 15, Some(15.0 * (15.0 + 7.5) / 15.0));
    }
}
