//! What a query comes to.

use alfred_ops_core::Labels;

use super::{Annotations, SampleValue};

/// One sample of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: SampleValue,
}

/// The samples of one series over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPoints {
    /// The labels.
    pub labels: Labels,
    /// Milliseconds since 1970 and values, ascending.
    pub points: Vec<(i64, SampleValue)>,
}

/// The value of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A text.
    Text(String),
    /// One sample of each series.
    Vector(Vec<VectorSample>),
    /// A range of samples of each series.
    Matrix(Vec<SeriesPoints>),
}

/// What a query comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// What is dubious about it.
    pub annotations: Annotations,
}
