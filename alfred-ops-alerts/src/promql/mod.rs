//! PromQL: queries as Prometheus 3 answers them.

pub mod ast;
mod duration;
mod error;
mod eval;
pub mod notation;
mod options;
mod position;
mod query;
mod recorded;
mod source;
mod syntax;
mod value;

pub use duration::{format_duration, parse_duration};
pub use error::QueryError;
pub use eval::QueryPlan;
pub(crate) use eval::Selections;
pub use options::QueryOptions;
pub use position::{Position, Span};
pub use query::Query;
pub use recorded::RecordedSeries;
pub(crate) use recorded::next_generation;
pub use source::{Growth, SeriesId, SeriesSource, Window};
pub(crate) use syntax::unquote;

pub use value::{Annotations, Answer, SampleValue, SeriesPoints, Value, VectorSample};

#[cfg(test)]
mod tests;
