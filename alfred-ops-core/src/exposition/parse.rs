//! Reads pages in Prometheus' text format, the usual case.

use super::{Format, Limits, Page};
use crate::Result;

/// Reads a page in Prometheus' text format: [`Page::read`] with [`Format::Text`].
///
/// ```
/// use alfred_ops_core::exposition::{Limits, parse};
///
/// let page = parse("http_requests_total{path=\"/x/{id}\",code=\"200\"} 1027 1395066363000\n", &Limits::default())?;
/// assert_eq!(page.samples[0].labels.get("path"), Some("/x/{id}"));
///
/// let error = parse("up 1\nqueue_length 12,5\n", &Limits::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "parse metrics page: line 2: \"12,5\" is not a decimal number, NaN or an infinity, \
///      in `queue_length 12,5`; correct the exporter that writes this page"
/// );
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`Page::read`].
pub fn parse(text: &str, limits: &Limits) -> Result<Page> {
    Page::read(text, Format::Text, limits)
}

/// Reads a page in Prometheus' text format that has not been checked to be UTF-8.
///
/// # Errors
/// Those of [`Page::read_bytes`].
pub fn parse_bytes(bytes: &[u8], limits: &Limits) -> Result<Page> {
    Page::read_bytes(bytes, Format::Text, limits)
}
