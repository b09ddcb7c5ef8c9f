//! The Prometheus text format, version 0.0.4, read and written.
//!
//! What Prometheus reads is read the same way, what it refuses is refused: hexadecimal floats, a label named
//! twice, a line that is no sample. Of two samples of one series the first is kept; labels with empty values
//! are dropped. Quoted (UTF-8) names are understood, carriage returns are not.

mod cause;
mod cursor;
mod family;
mod limits;
mod page;
mod parser;
#[cfg(feature = "prometheus-parse")]
mod prometheus_parse;
mod render;

pub use family::{Family, FamilyKind};
pub use limits::Limits;
pub use page::Page;
pub use parser::{parse, parse_bytes};
pub use render::render;

pub(crate) use render::write_series;

#[cfg(test)]
mod tests;
