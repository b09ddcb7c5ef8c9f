//! Answers queries from the store.

use alfred_ops_core::Labels;

use super::{SampleStore, Series};
use crate::promql::ast::Matcher;
use crate::promql::{Growth, SampleValue, SeriesId, SeriesSource, Window};

fn fixed_name(matchers: &[Matcher]) -> Option<&str> {
    matchers.iter().find_map(|matcher| matcher.equal_to(Labels::NAME))
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
            matchers
                .iter()
                .all(|matcher| matcher.equal_to(Labels::NAME).is_some() || matcher.matches(series.labels()))
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
