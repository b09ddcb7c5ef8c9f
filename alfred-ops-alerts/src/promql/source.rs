//! Where a query finds series.

use std::sync::Arc;

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::Histogram;

use super::SampleValue;
use super::ast::Matcher;

/// A series within its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub u32);

/// The samples of one series in a range of time, ascending, without marks of staleness.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    /// Milliseconds since 1970 and numbers.
    pub floats: Vec<(i64, f64)>,
    /// Milliseconds since 1970 and histograms.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

impl Window {
    /// Whether there are no samples.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// How many samples there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Forgets all samples and keeps the space.
    pub fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }

    /// How the numbers grew; `None` if there are histograms.
    #[must_use]
    pub fn growth(&self) -> Option<Growth> {
        if !self.histograms.is_empty() {
            return None;
        }
        let [first, .., last] = self.floats.as_slice() else {
            return Some(Growth { samples: self.floats.len(), ..Growth::default() });
        };
        let mut lost = 0.0;
        let mut before = f64::NEG_INFINITY;
        for (_, value) in &self.floats {
            if *value < before {
                lost += before;
            }
            before = *value;
        }
        Some(Growth { first: *first, last: *last, lost, samples: self.floats.len() })
    }

    /// Adds a sample behind the others.
    pub fn push(&mut self, millis: i64, value: SampleValue) {
        match value {
            SampleValue::Float(value) => self.floats.push((millis, value)),
            SampleValue::Histogram(histogram) => self.histograms.push((millis, histogram)),
        }
    }
}

/// How a series of numbers grew within a range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Growth {
    /// The first sample: milliseconds since 1970 and number. Meaningless without two samples.
    pub first: (i64, f64),
    /// The last one.
    pub last: (i64, f64),
    /// What a counter lost by starting again from zero.
    pub lost: f64,
    /// How many samples there are.
    pub samples: usize,
}

/// Series that queries are asked of. Times are milliseconds since 1970; beginnings are excluded, ends included.
///
/// While a query runs nothing changes. Between queries series may come and go, as the generation tells.
pub trait SeriesSource {
    /// Changes whenever series that may meet all conditions come or go, so that what was selected before can be used
    /// again until then.
    fn generation(&self, matchers: &[Matcher]) -> u64;

    /// The series that meet all conditions, in a stable order.
    fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId>;

    /// The labels of a selected series.
    fn labels(&self, series: SeriesId) -> Labels;

    /// The last sample after `after` and not after `until`, unless it marks the series as ended.
    fn latest(&self, series: SeriesId, after: i64, until: i64) -> Option<(i64, SampleValue)>;

    /// Adds to `window` all samples after `after` and not after `until`, without marks of staleness.
    fn window(&self, series: SeriesId, after: i64, until: i64, window: &mut Window);

    /// How a series of numbers grew after `after` and not after `until`; `None` if it holds histograms.
    fn growth(&self, series: SeriesId, after: i64, until: i64) -> Option<Growth> {
        let mut window = Window::default();
        self.window(series, after, until, &mut window);
        window.growth()
    }
}
