//! Samples in memory: series with a bounded past, found by their labels.

mod limits;
mod matcher;
mod point;
mod sample_store;
mod selector;
mod series;

pub use limits::StoreLimits;
pub use matcher::Matcher;
pub use point::Point;
pub use sample_store::{Appended, SampleStore, StoreCounters};
pub use selector::Selector;
pub use series::Series;
