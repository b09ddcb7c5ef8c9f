//! The text formats in which metrics are exposed, read and written: Prometheus' and `OpenMetrics`.
//!
//! [`Entries`] reads a page entry by entry and copies nothing; a series comes as the text that names it, so that
//! whoever keeps what a text stands for decodes its labels once. [`Page`] is the whole page, owned; [`parse`] is for
//! the usual one. [`render`] writes. [`accept`] and [`Format::from_content_type`] agree on a format with an exporter.
//!
//! What Prometheus 3 reads is read the same way, what it refuses is refused: hexadecimal floats, a label named twice,
//! carriage returns after samples, a line that is no sample. A [`Page`] keeps the first of two samples of one series;
//! labels with empty values are dropped. Where we differ, `DESIGN.md` says why.

mod bound;
mod cause;
mod cursor;
mod entries;
mod entry;
mod exemplar;
mod family;
mod format;
mod grammar;
mod heading;
mod label_reader;
mod limits;
mod negotiation;
mod number;
mod page;
mod parse;
#[cfg(feature = "prometheus-parse")]
mod prometheus_parse;
mod render;
mod series;
mod series_text;
mod text;

pub use entries::Entries;
pub use entry::{Entry, ExemplarEntry, SampleEntry};
pub use exemplar::Exemplar;
pub use family::{Family, FamilyKind};
pub use format::Format;
pub use label_reader::LabelReader;
pub use limits::Limits;
pub use negotiation::accept;
pub use page::Page;
pub use parse::{parse, parse_bytes};
pub use render::render;
pub use series::Series;
pub use text::page_text;

#[cfg(feature = "google-cloud-monitoring")]
pub(crate) use bound::written as written_bound;
pub(crate) use series_text::write_series;

#[cfg(test)]
mod tests;
