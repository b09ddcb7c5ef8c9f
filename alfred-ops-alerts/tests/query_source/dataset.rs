//! Series that a server is given.

use alfred_ops_alerts::promql::SampleValue;
use alfred_ops_core::Labels;

/// Times in milliseconds and values; none is the mark that the series ended.
pub(crate) type Samples = Vec<(i64, Option<SampleValue>)>;

/// Series with their samples.
pub(crate) type Dataset = Vec<(Labels, Samples)>;
