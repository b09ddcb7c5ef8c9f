//! The series that a rule writes.

use std::collections::HashMap;

use alfred_ops_core::Labels;

use crate::promql::{SampleValue, SeriesId};
use crate::store::SampleStore;

/// The series that a rule wrote at its last evaluation, so that those it writes no more are ended.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// The store's own places of the series that it keeps.
    places: HashMap<Labels, SeriesId>,
}

impl Outputs {
    /// Writes the samples of one evaluation, and ends the series that it has no more.
    pub(super) fn write(&mut self, store: &mut SampleStore, millis: i64, samples: Vec<(Labels, SampleValue)>) {
        let mut before = std::mem::take(&mut self.places);
        for (labels, value) in samples {
            let known = before.remove(&labels).filter(|place| store.is(*place, &labels));
            // What no rule looks at is not kept, and needs no end.
            if let Some(place) = known.or_else(|| store.find_or_make(&labels).ok()) {
                store.push(place, millis, &value);
                self.places.insert(labels, place);
            }
        }
        for (labels, place) in before {
            if store.is(place, &labels) {
                store.end(place, millis);
            }
        }
    }
}
