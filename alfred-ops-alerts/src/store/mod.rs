//! Samples in memory: series with a bounded past, as far as rules look at them.

mod appended;
mod counters;
mod interest;
mod limits;
mod place;
mod restored_samples;
mod sample_store;
mod selection;
mod series;
mod snapshot;
mod times;
mod values;

pub use appended::Appended;
pub use counters::StoreCounters;
pub use interest::Interest;
pub use limits::StoreLimits;
pub use restored_samples::RestoredSamples;
pub use sample_store::SampleStore;

pub(crate) use place::Place;
pub(crate) use series::Series;
