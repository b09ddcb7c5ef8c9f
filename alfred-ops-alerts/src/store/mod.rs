//! Samples in memory: series with a bounded past, as far as rules look at them.

mod counters;
mod interest;
mod limits;
mod sample_store;
mod series;
mod times;
mod values;

pub use counters::StoreCounters;
pub use interest::Interest;
pub use limits::StoreLimits;
pub use sample_store::{Appended, SampleStore};

pub(crate) use sample_store::Place;
pub(crate) use series::Series;
