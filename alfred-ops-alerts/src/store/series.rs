//! One series.

use std::sync::Arc;

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::{Histogram, ResetHint};

use super::times::Times;
use super::values::Values;
use crate::promql::{Growth, SampleValue, Window};

/// One series and its recent past.
#[derive(Debug)]
pub(crate) struct Series {
    labels: Labels,
    /// How long its samples are kept.
    keep_millis: i64,
    pub(super) times: Times,
    pub(super) values: Values,
    /// Whether no value is below the one before it, so that growth is the last less the first.
    ascending: bool,
    /// What few series have.
    pub(super) rare: Option<Box<Rare>>,
}

/// What few series have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// When the series ended, ascending.
    pub(super) ends: Vec<i64>,
    pub(super) histograms: Vec<(i64, Arc<Histogram>)>,
    /// What was read between two scrapes: it counts as the last number until the next sample or end. It is not worth
    /// keeping for longer than the process lives.
    provisional: Option<(i64, f64)>,
}

/// Samples are given up in batches of at least this part of all, for giving up means writing anew.
const BATCH: usize = 4;

impl Series {
    pub(super) fn new(labels: Labels, keep_millis: i64) -> Self {
        let (times, values) = (Times::default(), Values::default());
        Self { labels, keep_millis, times, values, ascending: true, rare: None }
    }

    /// A series that was held before; as many times as values.
    pub(super) fn held_before(
        labels: Labels,
        keep_millis: i64,
        times: Times,
        values: Values,
        rare: Rare,
    ) -> Self {
        let mut ascending = true;
        let mut before = f64::NEG_INFINITY;
        values.each(0..values.len(), |_, value| {
            ascending &= value >= before;
            before = value;
        });
        let rare = (!rare.ends.is_empty() || !rare.histograms.is_empty()).then(|| Box::new(rare));
        Self { labels, keep_millis, times, values, ascending, rare }
    }

    /// Goes on with what `later` holds; false, and nothing is done, unless all of that is later.
    pub(super) fn go_on_with(&mut self, later: &Self) -> bool {
        if self.last_time().zip(later.first_time()).is_some_and(|(last, first)| first <= last) {
            return false;
        }
        let values = &later.values;
        values.each(0..values.len(), |place, value| self.push_float(later.times.at(place), value));
        if let Some(rare) = &later.rare {
            self.rare.get_or_insert_default().ends.extend(&rare.ends);
            for (millis, histogram) in &rare.histograms {
                self.push(*millis, &SampleValue::Histogram(Arc::clone(histogram)));
            }
        }
        true
    }

    pub(super) const fn labels(&self) -> &Labels {
        &self.labels
    }

    pub(super) const fn set_keep(&mut self, keep_millis: i64) {
        self.keep_millis = keep_millis;
    }

    /// How many samples it has.
    pub(super) fn len(&self) -> usize {
        let of_rare = |rare: &Rare| rare.histograms.len() + usize::from(rare.provisional.is_some());
        self.times.len() + self.rare.as_deref().map_or(0, of_rare)
    }

    /// The time of its last sample or end, leaving out what is provisional.
    pub(super) fn last_time(&self) -> Option<i64> {
        let rare = self.rare.as_ref();
        let end = rare.and_then(|rare| rare.ends.last().copied());
        let histogram = rare.and_then(|rare| rare.histograms.last().map(|(millis, _)| *millis));
        [self.times.last(), end, histogram].into_iter().flatten().max()
    }

    /// The time of its first sample or end.
    pub(super) fn first_time(&self) -> Option<i64> {
        let rare = self.rare.as_ref();
        let end = rare.and_then(|rare| rare.ends.first().copied());
        let histogram = rare.and_then(|rare| rare.histograms.first().map(|(millis, _)| *millis));
        let float = (self.times.len() > 0).then(|| self.times.at(0));
        [float, end, histogram].into_iter().flatten().min()
    }

    pub(super) fn last_float(&self) -> Option<(i64, f64)> {
        let last = self.times.len().checked_sub(1)?;
        Some((self.times.at(last), self.values.at(last)))
    }

    /// Sets what stands at its end until the next sample; whether it is later than all samples and says something else
    /// than the last one.
    pub(super) fn set_provisional(&mut self, millis: i64, value: f64) -> bool {
        if self.last_time().is_some_and(|last| last >= millis) {
            return false;
        }
        let same = matches!(
            self.latest(i64::MIN, i64::MAX),
            Some((_, SampleValue::Float(known))) if known.to_bits() == value.to_bits()
        );
        if !same {
            self.rare.get_or_insert_default().provisional = Some((millis, value));
        }
        !same
    }

    /// Adds a sample that is later than all others.
    pub(super) fn push(&mut self, millis: i64, value: &SampleValue) {
        match value {
            SampleValue::Float(value) => self.push_float(millis, *value),
            SampleValue::Histogram(histogram) => {
                self.settle(millis);
                let histogram = self.told_reset(histogram);
                self.rare.get_or_insert_default().histograms.push((millis, histogram));
            }
        }
    }

    pub(super) fn push_float(&mut self, millis: i64, value: f64) {
        self.settle(millis);
        if !self.times.push(millis) {
            // After weeks of silence nothing of the past is of use to any rule.
            (self.times, self.values, self.ascending) = (Times::default(), Values::default(), true);
            self.times.push(millis);
        }
        if let Some(last) = self.values.len().checked_sub(1) {
            self.ascending &= value >= self.values.at(last);
        } else {
            self.ascending = !value.is_nan();
        }
        self.values.push(value);
    }

    /// Forgets what is provisional and not later than a sample or end at `millis`.
    fn settle(&mut self, millis: i64) {
        if let Some(rare) = &mut self.rare {
            rare.provisional = rare.provisional.filter(|(read, _)| *read > millis);
        }
    }

    /// A histogram that says whether it goes on from the one before, as Prometheus' storage does.
    fn told_reset(&self, histogram: &Arc<Histogram>) -> Arc<Histogram> {
        let before = self.rare.as_ref().and_then(|rare| rare.histograms.last());
        match before {
            Some((_, before)) if !matches!(histogram.reset_hint, ResetHint::Gauge | ResetHint::Reset) => {
                let mut told = Histogram::clone(histogram);
                told.reset_hint =
                    if histogram.is_reset_after(before) { ResetHint::Reset } else { ResetHint::NotReset };
                Arc::new(told)
            }
            _ => Arc::clone(histogram),
        }
    }

    /// Notes that it ended at `millis`.
    pub(super) fn end(&mut self, millis: i64) {
        self.settle(millis);
        self.rare.get_or_insert_default().ends.push(millis);
    }

    /// Gives up samples that no rule can look back to any more.
    pub(super) fn expire(&mut self, now: i64) {
        let oldest = now.saturating_sub(self.keep_millis);
        let expired = self.times.until(oldest);
        if expired > 0 && (expired >= self.times.len() / BATCH || expired == self.times.len()) {
            self.forget(expired);
        }
        if let Some(rare) = &mut self.rare {
            rare.ends.retain(|millis| *millis > oldest);
            let expired = rare.histograms.partition_point(|(millis, _)| *millis <= oldest);
            rare.histograms.drain(..expired);
            rare.provisional = rare.provisional.filter(|(millis, _)| *millis > oldest);
            if rare.ends.is_empty() && rare.histograms.is_empty() && rare.provisional.is_none() {
                self.rare = None;
            }
        }
    }

    /// Gives up the older half of its samples; how many that were.
    pub(super) fn shed(&mut self) -> usize {
        let given_up = self.times.len() / 2;
        if given_up > 0 {
            self.forget(given_up);
        }
        given_up
    }

    fn forget(&mut self, count: usize) {
        self.times.forget(count);
        self.values.forget(count);
        let values = (0..self.values.len()).map(|index| self.values.at(index));
        self.ascending = self.ascending || values.is_sorted();
    }

    pub(super) fn bytes(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| {
            let histograms = rare.histograms.iter().map(|(_, histogram)| histogram.size_bytes() + 24);
            size_of::<Rare>() + rare.ends.capacity() * size_of::<i64>() + histograms.sum::<usize>()
        });
        size_of::<Self>() + self.times.heap_bytes() + self.values.heap_bytes() + rare
    }

    /// The last sample after `after` and not after `until`, unless the series ended behind it.
    pub(super) fn latest(&self, after: i64, until: i64) -> Option<(i64, SampleValue)> {
        let found = self.times.until(until).checked_sub(1).map(|place| (self.times.at(place), place));
        let float = found.filter(|(millis, _)| *millis > after);
        let Some(rare) = &self.rare else {
            return float.map(|(millis, place)| (millis, self.values.at(place).into()));
        };
        let histogram = rare.histograms.partition_point(|(millis, _)| *millis <= until).checked_sub(1);
        let histogram =
            histogram.and_then(|place| rare.histograms.get(place)).filter(|(millis, _)| *millis > after);
        let provisional = rare.provisional.filter(|(millis, _)| *millis > after && *millis <= until);
        let newest = match (provisional, float, histogram) {
            (Some((millis, value)), ..) => (millis, value.into()),
            (None, Some((millis, _)), Some((of_histogram, value))) if *of_histogram > millis => {
                (*of_histogram, SampleValue::Histogram(Arc::clone(value)))
            }
            (None, Some((millis, place)), _) => (millis, self.values.at(place).into()),
            (None, None, Some((millis, value))) => (*millis, SampleValue::Histogram(Arc::clone(value))),
            (None, None, None) => return None,
        };
        let ended = rare.ends.iter().any(|end| *end <= until && *end > newest.0);
        (!ended).then_some(newest)
    }

    /// Adds all samples after `after` and not after `until` to `window`.
    pub(super) fn window(&self, after: i64, until: i64, window: &mut Window) {
        let places = self.times.until(after)..self.times.until(until);
        window.floats.reserve(places.len());
        self.values.each(places, |place, value| window.floats.push((self.times.at(place), value)));
        if let Some(rare) = &self.rare {
            let within = |millis: i64| millis > after && millis <= until;
            let histograms = rare.histograms.iter().filter(|(millis, _)| within(*millis));
            window.histograms.extend(histograms.cloned());
            window.floats.extend(rare.provisional.filter(|(millis, _)| within(*millis)));
        }
    }

    /// How it grew within a range, if it holds numbers only.
    pub(super) fn growth(&self, after: i64, until: i64) -> Option<Growth> {
        let mut growth = self.growth_of_samples(after, until);
        let Some(rare) = &self.rare else { return Some(growth) };
        if !rare.histograms.is_empty() {
            return None;
        }
        if let Some(last) = rare.provisional.filter(|(millis, _)| *millis > after && *millis <= until) {
            if growth.samples == 0 {
                growth.first = last;
            } else if last.1 < growth.last.1 {
                growth.lost += growth.last.1;
            }
            growth.last = last;
            growth.samples += 1;
        }
        Some(growth)
    }

    fn growth_of_samples(&self, after: i64, until: i64) -> Growth {
        let places = self.times.until(after)..self.times.until(until);
        if places.is_empty() {
            return Growth::default();
        }
        let point = |place: usize| (self.times.at(place), self.values.at(place));
        let mut lost = 0.0;
        if !self.ascending {
            let mut before = f64::NEG_INFINITY;
            self.values.each(places.clone(), |_, value| {
                if value < before {
                    lost += before;
                }
                before = value;
            });
        }
        Growth { first: point(places.start), last: point(places.end - 1), lost, samples: places.len() }
    }
}
