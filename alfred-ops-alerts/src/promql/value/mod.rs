//! Answers.

mod annotations;
mod answer;
mod number;
mod sample_value;

pub use annotations::Annotations;
pub use answer::{Answer, SeriesPoints, Value, VectorSample};
pub use sample_value::SampleValue;

pub(crate) use number::{format_float, format_general, format_label_float};
