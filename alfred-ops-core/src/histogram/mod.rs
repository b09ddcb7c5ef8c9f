//! Native histograms: many buckets in one sample.

mod arithmetic;
mod bounds;
mod bucket;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod histogram;
mod reset;
mod zero;

#[cfg(test)]
mod tests;

pub use arithmetic::Combined;
pub use bucket::Bucket;
pub use histogram::{Histogram, ResetHint, SCHEMA_CUSTOM, SCHEMA_MAX, SCHEMA_MIN};
