//! The series that a rule writes.

use std::collections::HashMap;

use alfred_ops_core::Labels;

use crate::promql::SampleValue;
use crate::store::{Place, SampleStore};

/// The series that a rule wrote at its last evaluation, so that those it writes no more are ended.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// The store's own places of the series that it keeps.
    places: HashMap<Labels, Place>,
}

impl Outputs {
    /// Writes the samples of one evaluation, and ends the series that it has no more.
    pub(super) fn write(
        &mut self,
        store: &mut SampleStore,
        millis: i64,
        samples: Vec<(Labels, SampleValue)>,
    ) {
        let mut before = std::mem::take(&mut self.places);
        for (labels, value) in samples {
            let known = before.remove(&labels).filter(|place| store.push(*place, millis, &value).is_some());
            if let Some(place) = known {
                self.places.insert(labels, place);
            } else if let Ok(place) = store.find_or_make(&labels) {
                // What no rule looks at is not kept, and needs no end.
                store.push(place, millis, &value);
                self.places.insert(labels, place);
            }
        }
        for place in before.into_values() {
            store.end(place, millis);
        }
    }

    /// Ends all series.
    pub(super) fn end(self, store: &mut SampleStore, millis: i64) {
        for place in self.places.into_values() {
            store.end(place, millis);
        }
    }
}
