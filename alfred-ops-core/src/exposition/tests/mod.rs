//! What is read, what is refused, and that nothing is lost.

mod entries;
mod open_metrics;
mod prometheus;
mod round_trip;
mod text;

use super::{Format, Limits, Page};
use crate::ErrorKind;

/// Checks that `text` is refused as bad input with an error that contains `says`.
fn refused(format: Format, text: &str, says: &str) {
    let error = Page::read(text, format, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains(says), "{text:?} is refused with {error}, not {says:?}");
}
