//! All series.

use std::collections::HashMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::{Appended, Interest, Place, Series, StoreCounters, StoreLimits};
use crate::promql::{SampleValue, SeriesId, next_generation};

/// All series that rules can look at, bounded in number, size and age.
///
/// What no rule can look at is not kept: see [`Interest`]. Series keep their place until they have been silent
/// for as long as they are kept.
#[derive(Debug)]
pub struct SampleStore {
    pub(super) limits: StoreLimits,
    pub(super) interest: Interest,
    interest_changes: u64,
    pub(super) slots: Vec<Option<Series>>,
    /// How often each slot has been given to a series, so that a place tells whether it still is the same one.
    births: Vec<u32>,
    free: Vec<u32>,
    pub(super) by_labels: HashMap<Labels, u32>,
    pub(super) by_name: HashMap<String, Postings>,
    pub(super) generation: u64,
    pub(super) counters: StoreCounters,
}

/// The series of one metric.
#[derive(Debug)]
pub(super) struct Postings {
    pub(super) slots: Vec<u32>,
    pub(super) generation: u64,
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
            births: Vec::new(),
            interest_changes: 0,
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
        self.interest_changes += 1;
    }

    /// How often the interest has changed: what was of none may be now.
    pub(crate) const fn interest_changes(&self) -> u64 {
        self.interest_changes
    }

    /// Adds a number to its series, which is made if it is new and of interest.
    pub fn append(&mut self, labels: &Labels, at: DateTime<Utc>, value: f64) -> Appended {
        self.append_value(labels, at.timestamp_millis(), &value.into())
    }

    /// Adds a sample to its series, which is made if it is new and of interest.
    pub fn append_value(&mut self, labels: &Labels, millis: i64, value: &SampleValue) -> Appended {
        match self.find_or_make(labels) {
            Ok(place) => self.push(place, millis, value).unwrap_or(Appended::Ignored),
            Err(refused) => refused,
        }
    }

    /// The place of the series with these labels, which is made if it is new and of interest: whoever appends often keeps
    /// it.
    pub(crate) fn find_or_make(&mut self, labels: &Labels) -> Result<Place, Appended> {
        if let Some(slot) = self.by_labels.get(labels) {
            return Ok(self.place(*slot));
        }
        let Some(keep) = self.interest.keep_millis(labels) else { return Err(Appended::Ignored) };
        let full =
            self.by_labels.len() >= self.limits.series_max || self.counters.bytes >= self.limits.bytes_max;
        let slot = if full { None } else { self.free_slot() };
        let Some(slot) = slot else {
            self.counters.series_refused += 1;
            return Err(Appended::Full);
        };
        Ok(self.insert(slot, Series::new(labels.clone(), keep)))
    }

    /// A slot that no series has; `None` beyond four thousand million of them.
    pub(super) fn free_slot(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| u32::try_from(self.slots.len()).ok())
    }

    /// Puts a series that is not there yet into a free slot.
    pub(super) fn insert(&mut self, slot: u32, series: Series) -> Place {
        let labels = series.labels().clone();
        self.counters.series += 1;
        self.counters.samples += series.len();
        self.counters.bytes += footprint(&series);
        let place = index(slot);
        if place == self.slots.len() {
            self.slots.push(Some(series));
            self.births.push(0);
        } else {
            self.slots[place] = Some(series);
            self.births[place] = self.births[place].wrapping_add(1);
        }
        self.generation = next_generation();
        let generation = self.generation;
        let name = labels.name().unwrap_or_default();
        if let Some(postings) = self.by_name.get_mut(name) {
            postings.slots.push(slot);
            postings.generation = generation;
        } else {
            self.by_name.insert(name.to_owned(), Postings { slots: vec![slot], generation });
        }
        self.by_labels.insert(labels, slot);
        self.place(slot)
    }

    fn place(&self, slot: u32) -> Place {
        Place { slot, birth: self.births.get(index(slot)).copied().unwrap_or(0) }
    }

    fn at(&mut self, place: Place) -> Option<&mut Series> {
        let slot = index(place.slot);
        let same = self.births.get(slot) == Some(&place.birth);
        self.slots.get_mut(slot).filter(|_| same)?.as_mut()
    }

    /// Adds a sample to the series at `place`; `None` if that series has been given up since.
    pub(crate) fn push(&mut self, place: Place, millis: i64, value: &SampleValue) -> Option<Appended> {
        match value {
            SampleValue::Float(value) => self.push_float(place, millis, *value),
            SampleValue::Histogram(_) => {
                self.push_with(place, millis, None, |series| series.push(millis, value))
            }
        }
    }

    /// The same of a number.
    pub(crate) fn push_float(&mut self, place: Place, millis: i64, value: f64) -> Option<Appended> {
        self.push_with(place, millis, Some(value), |series| series.push_float(millis, value))
    }

    fn push_with(
        &mut self,
        place: Place,
        millis: i64,
        float: Option<f64>,
        push: impl FnOnce(&mut Series),
    ) -> Option<Appended> {
        let slot = self.at(place)?;
        if slot.last_time().is_some_and(|last| last >= millis) {
            // The same sample once more is not a fault.
            let same = slot
                .last_float()
                .zip(float)
                .is_some_and(|((last, known), value)| last == millis && known.to_bits() == value.to_bits());
            if same {
                return Some(Appended::Stored);
            }
            self.counters.out_of_order += 1;
            return Some(Appended::OutOfOrder);
        }
        let before = slot.bytes();
        push(slot);
        let after = slot.bytes();
        self.counters.samples += 1;
        self.counters.bytes = (self.counters.bytes + after).saturating_sub(before);
        Some(Appended::Stored)
    }

    /// Sets the number that stands at the end of a series until its next sample: what was read between two scrapes. At most
    /// one of a series is kept, so that functions over ranges mean what they do without. Whether the series says something
    /// new.
    pub(crate) fn set_provisional(&mut self, labels: &Labels, millis: i64, value: f64) -> bool {
        let Ok(place) = self.find_or_make(labels) else { return false };
        let Some(series) = self.at(place) else { return false };
        let (samples, bytes) = (series.len(), series.bytes());
        let changed = series.set_provisional(millis, value);
        let (more, after) = (series.len() - samples, series.bytes());
        self.counters.samples += more;
        self.counters.bytes = (self.counters.bytes + after).saturating_sub(bytes);
        changed
    }

    /// Notes that a series ended at `at`: it is not present from then on, until it is appended to again.
    pub fn mark_stale(&mut self, labels: &Labels, at: DateTime<Utc>) {
        if let Some(slot) = self.by_labels.get(labels).copied() {
            self.end(self.place(slot), at.timestamp_millis());
        }
    }

    /// Notes that the series at `place` ended.
    pub(crate) fn end(&mut self, place: Place, millis: i64) {
        let Some(slot) = self.at(place) else { return };
        if slot.last_time().is_none_or(|last| last < millis) {
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

    pub(super) fn series(&self, series: SeriesId) -> Option<&Series> {
        self.slots.get(index(series.0))?.as_ref()
    }

    /// The labels of all series.
    pub fn all_labels(&self) -> impl Iterator<Item = &Labels> {
        self.slots.iter().flatten().map(Series::labels)
    }
}

/// What a series takes with its labels and its place in the index.
pub(super) fn footprint(series: &Series) -> usize {
    series.bytes() + series.labels().heap_bytes() + INDEX_BYTES
}

pub(super) const fn index(slot: u32) -> usize {
    slot as usize
}

impl Default for SampleStore {
    /// A store that keeps an hour of everything.
    fn default() -> Self {
        Self::new(StoreLimits::default(), Interest::everything(60 * 60 * 1000))
    }
}

#[cfg(test)]
mod tests;
