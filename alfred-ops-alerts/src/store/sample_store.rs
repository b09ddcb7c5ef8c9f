//! All series.

use std::collections::HashMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::{Point, Selector, Series, StoreLimits};

/// All series, bounded in number, size and age.
#[derive(Debug)]
pub struct SampleStore {
    limits: StoreLimits,
    slots: Vec<Option<Series>>,
    free: Vec<usize>,
    by_labels: HashMap<Labels, usize>,
    by_name: HashMap<String, Vec<usize>>,
    counters: StoreCounters,
}

/// What a store holds and what it has turned away since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreCounters {
    /// Series held now.
    pub series: usize,
    /// Samples held now.
    pub samples: usize,
    /// Samples of new series refused because the store held its maximum of series.
    pub series_refused: u64,
    /// Samples given up or refused because the store held its maximum of samples.
    pub samples_shed: u64,
    /// Samples refused because their series has a later or equally late one.
    pub out_of_order: u64,
}

/// What became of an appended sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// It is stored.
    Stored,
    /// It is stored, and its series' oldest sample was given up for it.
    StoredForOldest,
    /// It was refused: its series has a later or equally late one.
    OutOfOrder,
    /// It was refused: its series is new and there is no room for new series.
    SeriesLimit,
    /// It was refused: there is no room for samples and its series has none to give up.
    SampleLimit,
}

impl SampleStore {
    /// An empty store.
    #[must_use]
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            by_labels: HashMap::new(),
            by_name: HashMap::new(),
            counters: StoreCounters::default(),
        }
    }

    /// How much the store may hold.
    #[must_use]
    pub const fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    /// What the store holds and has turned away.
    #[must_use]
    pub const fn counters(&self) -> StoreCounters {
        self.counters
    }

    /// Adds a sample to its series, which is made if it is new.
    pub fn append(&mut self, labels: &Labels, at: DateTime<Utc>, value: f64) -> Appended {
        self.push(labels, Point { millis: at.timestamp_millis(), value })
    }

    /// Notes that a series ended at `at`: it is not present from then on, until it is appended to again.
    pub fn mark_stale(&mut self, labels: &Labels, at: DateTime<Utc>) {
        if self.by_labels.contains_key(labels) {
            self.push(labels, Point::stale(at.timestamp_millis()));
        }
    }

    fn push(&mut self, labels: &Labels, point: Point) -> Appended {
        let samples_full = self.counters.samples >= self.limits.samples_max;
        let Some(slot) = self.by_labels.get(labels).copied() else {
            if self.by_labels.len() >= self.limits.series_max {
                self.counters.series_refused += 1;
                return Appended::SeriesLimit;
            }
            if samples_full {
                self.counters.samples_shed += 1;
                return Appended::SampleLimit;
            }
            let mut series = Series::new(labels.clone());
            series.push(point);
            self.insert(series);
            return Appended::Stored;
        };
        let Some(series) = self.slots.get_mut(slot).and_then(Option::as_mut) else {
            // Every slot in the index holds a series.
            return Appended::SampleLimit;
        };
        if series.last().is_some_and(|last| last.millis >= point.millis) {
            self.counters.out_of_order += 1;
            return Appended::OutOfOrder;
        }
        let shed = samples_full && series.shed();
        series.push(point);
        if shed {
            self.counters.samples_shed += 1;
            return Appended::StoredForOldest;
        }
        self.counters.samples += 1;
        Appended::Stored
    }

    fn insert(&mut self, series: Series) {
        let labels = series.labels().clone();
        let name = labels.name().unwrap_or_default().to_owned();
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(Some(series));
        } else {
            self.slots[slot] = Some(series);
        }
        self.by_labels.insert(labels, slot);
        self.by_name.entry(name).or_default().push(slot);
        self.counters.series += 1;
        self.counters.samples += 1;
    }

    /// Gives up samples older than the retention, and series that have none left.
    pub fn expire(&mut self, now: DateTime<Utc>) {
        let retention = i64::try_from(self.limits.retention.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.timestamp_millis().saturating_sub(retention);
        for slot in 0..self.slots.len() {
            let Some(series) = &mut self.slots[slot] else { continue };
            self.counters.samples -= series.expire(oldest);
            if series.is_empty() {
                self.remove(slot);
            }
        }
    }

    fn remove(&mut self, slot: usize) {
        let Some(series) = self.slots[slot].take() else { return };
        self.free.push(slot);
        self.by_labels.remove(series.labels());
        let name = series.labels().name().unwrap_or_default();
        if let Some(slots) = self.by_name.get_mut(name) {
            slots.retain(|candidate| *candidate != slot);
            if slots.is_empty() {
                self.by_name.remove(name);
            }
        }
        self.counters.series -= 1;
    }

    /// The series that `selector` means, whether or not they are present now.
    pub fn select<'a>(&'a self, selector: &'a Selector) -> impl Iterator<Item = &'a Series> {
        let slots = self.by_name.get(selector.name()).map(Vec::as_slice).unwrap_or_default();
        slots
            .iter()
            .filter_map(|slot| self.slots.get(*slot)?.as_ref())
            .filter(|series| selector.matches(series.labels()))
    }
}

impl Default for SampleStore {
    fn default() -> Self {
        Self::new(StoreLimits::default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn labels(index: u32) -> Labels {
        Labels::metric("m").with("i", &index.to_string())
    }

    fn present(store: &SampleStore, now: i64) -> Vec<f64> {
        let selector = Selector::metric("m");
        let latest = |series: &Series| series.latest(at(now), store.limits().lookback);
        store.select(&selector).filter_map(latest).map(|point| point.value).collect()
    }

    #[test]
    fn a_latest_sample_is_present_for_five_minutes_or_until_it_ends() {
        let mut store = SampleStore::default();
        assert_eq!(store.append(&labels(0), at(0), 7.0), Appended::Stored);
        assert_eq!(present(&store, -1), [0.0; 0]);
        assert_eq!(present(&store, 0), [7.0]);
        assert_eq!(present(&store, 299), [7.0]);
        assert_eq!(present(&store, 300), [0.0; 0]);
        store.mark_stale(&labels(0), at(15));
        assert_eq!(present(&store, 14), [7.0]);
        assert_eq!(present(&store, 15), [0.0; 0]);
        store.append(&labels(0), at(30), 8.0);
        assert_eq!(present(&store, 30), [8.0]);
        assert_eq!(store.append(&labels(0), at(30), 9.0), Appended::OutOfOrder);
        assert_eq!(store.counters().out_of_order, 1);
    }

    #[test]
    fn beyond_the_limits_known_series_go_on_and_all_is_counted() {
        let limits = StoreLimits::default().with_series_max(2).with_samples_max(3);
        let mut store = SampleStore::new(limits);
        store.append(&labels(0), at(0), 1.0);
        store.append(&labels(1), at(0), 1.0);
        assert_eq!(store.append(&labels(2), at(0), 1.0), Appended::SeriesLimit);
        assert_eq!(store.append(&labels(0), at(1), 2.0), Appended::Stored);
        assert_eq!(store.append(&labels(0), at(2), 3.0), Appended::StoredForOldest);
        let counters = store.counters();
        assert_eq!((counters.series, counters.samples), (2, 3));
        assert_eq!((counters.series_refused, counters.samples_shed), (1, 1));
    }

    #[test]
    fn expired_series_make_room() {
        let limits = StoreLimits::default().with_series_max(1).with_retention(Duration::from_secs(60));
        let mut store = SampleStore::new(limits);
        store.append(&labels(0), at(0), 1.0);
        store.expire(at(59));
        assert_eq!(store.counters().series, 1);
        store.expire(at(60));
        assert_eq!((store.counters().series, store.counters().samples), (0, 0));
        assert_eq!(store.append(&labels(1), at(61), 1.0), Appended::Stored);
        assert_eq!(present(&store, 61), [1.0]);
    }

    proptest! {
        #[test]
        fn what_is_held_never_passes_the_limits(
            steps in prop::collection::vec((0_u32..8, 0_i64..200, any::<bool>()), 0..200)
        ) {
            let limits = StoreLimits::default()
                .with_series_max(4).with_samples_max(20).with_retention(Duration::from_secs(50));
            let mut store = SampleStore::new(limits);
            for (series, time, expire) in steps {
                if expire {
                    store.expire(at(time));
                } else {
                    store.append(&labels(series), at(time), 1.0);
                }
                let selector = Selector::metric("m");
                let held: usize =
                    store.select(&selector).map(|s| s.range(at(1000), Duration::from_secs(2000)).count()).sum();
                prop_assert_eq!(held, store.counters().samples);
                prop_assert_eq!(store.select(&selector).count(), store.counters().series);
                prop_assert!(store.counters().samples <= 20 && store.counters().series <= 4);
            }
        }
    }
}
