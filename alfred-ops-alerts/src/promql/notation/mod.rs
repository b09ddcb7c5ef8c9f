//! Series written down for tests: `errors{job="a"} 0+10x5 _ stale`, as promtool reads them.

mod description;
mod literal;
mod values;

pub use description::parse_labels;
pub use literal::parse_histogram;
pub use values::{Entry, parse_values};

use alfred_ops_core::Labels;

use super::QueryError;

/// Reads a series and its values, in turn for each interval.
///
/// # Errors
/// What is wrong with it.
pub fn parse_series(text: &str) -> Result<(Labels, Vec<Entry>), QueryError> {
    let (description, values) = description::split(text)?;
    Ok((parse_labels(description)?, parse_values(values)?))
}
