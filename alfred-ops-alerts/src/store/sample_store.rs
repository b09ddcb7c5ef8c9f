//! All series.

use std::collections::HashMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::{Interest, Series, StoreCounters, StoreLimits};
use crate::promql::ast::Matcher;
use crate::promql::{Growth, SampleValue, SeriesId, SeriesSource, Window, next_generation};

/// All series that rules can look at, bounded in number, size and age.
///
/// What no rule can look at is not kept: see [`Interest`]. Series keep their place until they have been silent
/// for as long as they are kept.
#[derive(Debug)]
pub struct SampleStore {
    limits: StoreLimits,
    interest: Interest,
    slots: Vec<Option<Series>>,
    free: Vec<u32>,
    by_labels: HashMap<Labels, u32>,
    by_name: HashMap<String, Postings>,
    generation: u64,
    counters: StoreCounters,
}

/// The series of one metric.
#[derive(Debug)]
struct Postings {
    slots: Vec<u32>,
    generation: u64,
}

/// What became of an appended sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// It is stored, or the same as what is.
    Stored,
    /// No rule looks at its series.
    Ignored,
    /// It was refused: its series has a later one, or another one of the same time.
    OutOfOrder,
    /// It was refused: its series is new and there is no room for it.
    Full,
}

/// What the index takes for a series besides its labels: entries of two maps and a list.
const INDEX_BYTES: usize = 48;
/// How many of the series with the most samples give up their older half at a time.
const SHED_SHARE: usize = 8;

impl SampleStore {
    /// An empty store that keeps what is of `interest`.
    #[must_use]
    pub fn new(limits: StoreLimits, interest: Interest) -> Self {
        Self {
            limits,
            interest,
            slots: Vec::new(),
            free: Vec::new(),
            by_labels: HashMap::new(),
            by_name: HashMap::new(),
            generation: next_generation(),
            counters: StoreCounters::default(),
        }
    }

    /// How much the store may hold.
    #[must_use]
    pub const fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    /// What the store keeps.
    #[must_use]
    pub const fn interest(&self) -> &Interest {
        &self.interest
    }

    /// What the store holds and has turned away.
    #[must_use]
    pub const fn counters(&self) -> StoreCounters {
        self.counters
    }

    /// Sets what is kept from now on. Series of no interest any more are given up at once; others lose what is too
    /// old when they expire.
    pub fn set_interest(&mut self, interest: Interest) {
        for slot in 0..self.slots.len() {
            let Some(series) = &mut self.slots[slot] else { continue };
            match interest.keep_millis(series.labels()) {
                Some(keep) => series.set_keep(keep),
                None => self.remove(slot),
            }
        }
        self.interest = interest;
    }

    /// Adds a number to its series, which is made if it is new and of interest.
    pub fn append(&mut self, labels: &Labels, at: DateTime<Utc>, value: f64) -> Appended {
        self.append_value(labels, at.timestamp_millis(), &value.into())
    }

    /// Adds a sample to its series, which is made if it is new and of interest.
    pub fn append_value(&mut self, labels: &Labels, millis: i64, value: &SampleValue) -> Appended {
        match self.find_or_make(labels) {
            Ok(series) => self.push(series, millis, value),
            Err(refused) => refused,
        }
    }

    /// The series with these labels, which is made if it is new and of interest: whoever appends often keeps it.
    /// It is the same series until [`expire`](Self::expire) gives it up, as [`is`](Self::is) tells.
    pub(crate) fn find_or_make(&mut self, labels: &Labels) -> Result<SeriesId, Appended> {
        if let Some(slot) = self.by_labels.get(labels) {
            return Ok(SeriesId(*slot));
        }
        let Some(keep) = self.interest.keep_millis(labels) else { return Err(Appended::Ignored) };
        let full = self.by_labels.len() >= self.limits.series_max || self.counters.bytes >= self.limits.bytes_max;
        let slot = self.free.pop().or_else(|| u32::try_from(self.slots.len()).ok());
        let (false, Some(slot)) = (full, slot) else {
            self.counters.series_refused += 1;
            return Err(Appended::Full);
        };
        let series = Series::new(labels.clone(), keep);
        self.counters.series += 1;
        self.counters.bytes += footprint(&series);
        let place = index(slot);
        if place == self.slots.len() {
            self.slots.push(Some(series));
        } else {
            self.slots[place] = Some(series);
        }
        self.by_labels.insert(labels.clone(), slot);
        self.generation = next_generation();
        let generation = self.generation;
        let name = labels.name().unwrap_or_default();
        if let Some(postings) = self.by_name.get_mut(name) {
            postings.slots.push(slot);
            postings.generation = generation;
        } else {
            self.by_name.insert(name.to_owned(), Postings { slots: vec![slot], generation });
        }
        Ok(SeriesId(slot))
    }

    /// Whether `series` is still the one with these labels.
    pub(crate) fn is(&self, series: SeriesId, labels: &Labels) -> bool {
        self.series(series).is_some_and(|series| series.labels() == labels)
    }

    /// Adds a sample to a series of this store.
    pub(crate) fn push(&mut self, series: SeriesId, millis: i64, value: &SampleValue) -> Appended {
        let Some(slot) = self.slots.get_mut(index(series.0)).and_then(Option::as_mut) else {
            return Appended::Ignored;
        };
        if slot.last_time().is_some_and(|last| last >= millis) {
            // The same sample once more is not a fault.
            let same = slot.last_float().zip(value.float()).is_some_and(|((last, known), value)| {
                last == millis && known.to_bits() == value.to_bits()
            });
            if same {
                return Appended::Stored;
            }
            self.counters.out_of_order += 1;
            return Appended::OutOfOrder;
        }
        let before = slot.bytes();
        slot.push(millis, value);
        self.counters.samples += 1;
        self.counters.bytes = (self.counters.bytes + slot.bytes()).saturating_sub(before);
        Appended::Stored
    }

    /// Notes that a series ended at `at`: it is not present from then on, until it is appended to again.
    pub fn mark_stale(&mut self, labels: &Labels, at: DateTime<Utc>) {
        if let Some(slot) = self.by_labels.get(labels).copied() {
            self.end(SeriesId(slot), at.timestamp_millis());
        }
    }

    /// Notes that a series of this store ended.
    pub(crate) fn end(&mut self, series: SeriesId, millis: i64) {
        let Some(slot) = self.slots.get_mut(index(series.0)).and_then(Option::as_mut) else { return };
        if slot.last_time().is_some_and(|last| last < millis) {
            slot.end(millis);
        }
    }

    /// Gives up what no rule can look back to any more, and beyond the limit of bytes what was there longest.
    pub fn expire(&mut self, now: DateTime<Utc>) {
        let now = now.timestamp_millis();
        let (mut samples, mut bytes) = (0, 0);
        for slot in 0..self.slots.len() {
            let Some(series) = &mut self.slots[slot] else { continue };
            series.expire(now);
            if series.len() == 0 {
                self.remove(slot);
            } else {
                samples += series.len();
                bytes += footprint(series);
            }
        }
        (self.counters.samples, self.counters.bytes) = (samples, bytes);
        self.shed();
    }

    fn shed(&mut self) {
        while self.counters.bytes > self.limits.bytes_max {
            let mut longest: Vec<(usize, usize)> = self
                .slots
                .iter()
                .enumerate()
                .filter_map(|(slot, series)| Some((series.as_ref()?.len(), slot)))
                .filter(|(samples, _)| *samples > 1)
                .collect();
            longest.sort_unstable_by(|left, right| right.cmp(left));
            let share = longest.len().div_ceil(SHED_SHARE);
            if share == 0 {
                return;
            }
            for (_, slot) in longest.into_iter().take(share) {
                let Some(series) = &mut self.slots[slot] else { continue };
                let before = series.bytes();
                let given_up = series.shed();
                self.counters.bytes = (self.counters.bytes + series.bytes()).saturating_sub(before);
                self.counters.samples = self.counters.samples.saturating_sub(given_up);
                self.counters.samples_shed += u64::try_from(given_up).unwrap_or(u64::MAX);
                if given_up == 0 {
                    return;
                }
            }
        }
    }

    fn remove(&mut self, slot: usize) {
        let Some(series) = self.slots[slot].take() else { return };
        let Ok(number) = u32::try_from(slot) else { return };
        self.free.push(number);
        self.by_labels.remove(series.labels());
        self.generation = next_generation();
        let name = series.labels().name().unwrap_or_default();
        if let Some(postings) = self.by_name.get_mut(name) {
            postings.slots.retain(|candidate| *candidate != number);
            postings.generation = self.generation;
            if postings.slots.is_empty() {
                self.by_name.remove(name);
            }
        }
        self.counters.series -= 1;
        self.counters.bytes = self.counters.bytes.saturating_sub(footprint(&series));
        self.counters.samples = self.counters.samples.saturating_sub(series.len());
    }

    fn series(&self, series: SeriesId) -> Option<&Series> {
        self.slots.get(index(series.0))?.as_ref()
    }

    /// The labels of all series.
    pub fn all_labels(&self) -> impl Iterator<Item = &Labels> {
        self.slots.iter().flatten().map(Series::labels)
    }
}

/// What a series takes with its labels and its place in the index.
fn footprint(series: &Series) -> usize {
    series.bytes() + series.labels().heap_bytes() + INDEX_BYTES
}

const fn index(slot: u32) -> usize {
    slot as usize
}

fn fixed_name(matchers: &[Matcher]) -> Option<&str> {
    matchers.iter().find_map(|matcher| matcher.equal_to(Labels::NAME))
}

impl Default for SampleStore {
    /// A store that keeps an hour of everything.
    fn default() -> Self {
        Self::new(StoreLimits::default(), Interest::everything(60 * 60 * 1000))
    }
}

impl SeriesSource for SampleStore {
    fn generation(&self, matchers: &[Matcher]) -> u64 {
        match fixed_name(matchers) {
            Some(name) => self.by_name.get(name).map_or(0, |postings| postings.generation),
            None => self.generation,
        }
    }

    fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId> {
        let meets = |series: &Series| {
            matchers.iter().all(|matcher| matcher.equal_to(Labels::NAME).is_some() || matcher.matches(series.labels()))
        };
        let Some(name) = fixed_name(matchers) else {
            let all = (0..).zip(&self.slots);
            let meeting = all.filter(|(_, series)| series.as_ref().is_some_and(meets));
            return meeting.map(|(slot, _)| SeriesId(slot)).collect();
        };
        // Two different names cannot be met at once.
        if matchers.iter().any(|matcher| matcher.name() == Labels::NAME && !matcher.matches_value(name)) {
            return Vec::new();
        }
        let slots = self.by_name.get(name).map(|postings| postings.slots.as_slice()).unwrap_or_default();
        let found = slots.iter().filter(|slot| self.series(SeriesId(**slot)).is_some_and(meets));
        found.map(|slot| SeriesId(*slot)).collect()
    }

    fn labels(&self, series: SeriesId) -> Labels {
        self.series(series).map(|series| series.labels().clone()).unwrap_or_default()
    }

    fn latest(&self, series: SeriesId, after: i64, until: i64) -> Option<(i64, SampleValue)> {
        self.series(series)?.latest(after, until)
    }

    fn window(&self, series: SeriesId, after: i64, until: i64, window: &mut Window) {
        if let Some(series) = self.series(series) {
            series.window(after, until, window);
        }
    }

    fn growth(&self, series: SeriesId, after: i64, until: i64) -> Option<Growth> {
        self.series(series)?.growth(after, until)
    }
}

#[cfg(test)]
mod tests;
