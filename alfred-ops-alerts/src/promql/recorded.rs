//! Series that were recorded or written down.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::ResetHint;

use super::ast::Matcher;
use super::notation::Entry;
use super::{SampleValue, SeriesId, SeriesSource, Window};

/// Series held as they came, whole and uncompressed: for tests of rules, and to ask how a rule would have fared.
#[derive(Debug, Clone)]
pub struct RecordedSeries {
    index: HashMap<Labels, usize>,
    series: Vec<Recorded>,
    generation: u64,
}

#[derive(Debug, Clone)]
struct Recorded {
    labels: Labels,
    /// Ascending; `None` marks an end.
    samples: Vec<(i64, Option<SampleValue>)>,
}

impl RecordedSeries {
    /// No series.
    #[must_use]
    pub fn new() -> Self {
        Self { index: HashMap::new(), series: Vec::new(), generation: next_generation() }
    }

    /// Adds a sample, or the mark that the series ended; whether it was later than those before. Others are left
    /// out, as a store does.
    pub fn push(&mut self, labels: &Labels, millis: i64, value: Option<SampleValue>) -> bool {
        let generation = &mut self.generation;
        let place = *self.index.entry(labels.clone()).or_insert_with(|| {
            *generation = next_generation();
            self.series.push(Recorded { labels: labels.clone(), samples: Vec::new() });
            self.series.len() - 1
        });
        let samples = &mut self.series[place].samples;
        if samples.last().is_some_and(|(last, _)| *last >= millis) {
            return false;
        }
        let value =
            value.map(|value| told_reset(samples.last().and_then(|(_, value)| value.as_ref()), value));
        samples.push((millis, value));
        true
    }

    /// Adds a series' values, the first one at `start` and the others every `interval`, in milliseconds.
    pub fn push_entries(&mut self, labels: &Labels, start: i64, interval: i64, entries: &[Entry]) {
        let mut millis = start;
        for entry in entries {
            match entry {
                Entry::Missing => {}
                Entry::Stale => {
                    self.push(labels, millis, None);
                }
                Entry::Value(value) => {
                    self.push(labels, millis, Some(value.clone()));
                }
            }
            millis = millis.saturating_add(interval);
        }
    }

    /// All series with their samples.
    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &[(i64, Option<SampleValue>)])> {
        self.series.iter().map(|recorded| (&recorded.labels, recorded.samples.as_slice()))
    }

    /// How many series there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn samples(&self, series: SeriesId) -> &[(i64, Option<SampleValue>)] {
        let place = usize::try_from(series.0).unwrap_or(usize::MAX);
        self.series.get(place).map(|recorded| recorded.samples.as_slice()).unwrap_or_default()
    }

    fn between(&self, series: SeriesId, after: i64, until: i64) -> &[(i64, Option<SampleValue>)] {
        let samples = self.samples(series);
        let start = samples.partition_point(|(millis, _)| *millis <= after);
        let end = samples.partition_point(|(millis, _)| *millis <= until);
        samples.get(start..end).unwrap_or_default()
    }
}

/// A generation that no other set of series has.
pub(crate) fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A histogram that says whether it goes on from the one before, as Prometheus' storage does.
fn told_reset(before: Option<&SampleValue>, value: SampleValue) -> SampleValue {
    let (Some(SampleValue::Histogram(before)), SampleValue::Histogram(histogram)) = (before, &value) else {
        return value;
    };
    if matches!(histogram.reset_hint, ResetHint::Gauge | ResetHint::Reset) {
        return value;
    }
    let mut told = alfred_ops_core::histogram::Histogram::clone(histogram);
    told.reset_hint = if histogram.is_reset_after(before) { ResetHint::Reset } else { ResetHint::NotReset };
    told.into()
}

impl Default for RecordedSeries {
    fn default() -> Self {
        Self::new()
    }
}

impl SeriesSource for RecordedSeries {
    fn generation(&self, _: &[Matcher]) -> u64 {
        self.generation
    }

    fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId> {
        let meets = |recorded: &Recorded| matchers.iter().all(|matcher| matcher.matches(&recorded.labels));
        (0..).zip(&self.series).filter(|(_, recorded)| meets(recorded)).map(|(id, _)| SeriesId(id)).collect()
    }

    fn labels(&self, series: SeriesId) -> Labels {
        let place = usize::try_from(series.0).unwrap_or(usize::MAX);
        self.series.get(place).map(|recorded| recorded.labels.clone()).unwrap_or_default()
    }

    fn latest(&self, series: SeriesId, after: i64, until: i64) -> Option<(i64, SampleValue)> {
        let (millis, value) = self.between(series, after, until).last()?;
        value.clone().map(|value| (*millis, value))
    }

    fn window(&self, series: SeriesId, after: i64, until: i64, window: &mut Window) {
        for (millis, value) in self.between(series, after, until) {
            if let Some(value) = value {
                window.push(*millis, value.clone());
            }
        }
    }
}
