//! From bytes to text.

use std::borrow::Cow;

use super::cause::{Malformed, Problem};
use super::{Format, Limits};
use crate::Result;

/// As much of a page that is too long as an error can show.
const BEGINNING_BYTES: usize = 512;

/// The text of a page that came as bytes.
///
/// A byte that is not UTF-8 makes the page wrong, but for plain comments in Prometheus' format, which nobody reads:
/// there it becomes U+FFFD. The usual page is borrowed and costs one check.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the first line that is not UTF-8,
/// [`ResourceExhausted`](crate::ErrorKind::ResourceExhausted) if there are more bytes than `limits` allow.
pub fn page_text<'b>(bytes: &'b [u8], format: Format, limits: &Limits) -> Result<Cow<'b, str>> {
    if bytes.len() > limits.bytes_max {
        let problem = Problem::TooLong { what: "page", max: limits.bytes_max, limit: "bytes_max" };
        let beginning = String::from_utf8_lossy(bytes.get(..BEGINNING_BYTES).unwrap_or(bytes));
        return Err(Malformed::error(&beginning, 0, problem));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let start = text.len();
        let lossy = String::from_utf8_lossy(line);
        text.push_str(&lossy);
        if matches!(lossy, Cow::Owned(_)) && !(format == Format::Text && is_plain_comment(line)) {
            return Err(Malformed::error(&text, start, Problem::NotUtf8));
        }
    }
    Ok(Cow::Owned(text))
}

fn is_plain_comment(line: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(comment) = line.trim_ascii_start().strip_prefix(b"#") else {
        return false;
    };
    let mut words = comment.split(is_blank).filter(|word| !word.is_empty());
    let keyword = words.next().unwrap_or_default();
    !(comment.first().is_some_and(is_blank) && matches!(keyword, b"HELP" | b"TYPE"))
}
