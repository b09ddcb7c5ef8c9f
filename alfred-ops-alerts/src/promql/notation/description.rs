//! The labels of a series: `name{a="b"}`.

use alfred_ops_core::Labels;

use crate::promql::QueryError;
use crate::promql::syntax::read_labels;

/// Splits a series from its values.
pub(super) fn split(text: &str) -> Result<(&str, &str), QueryError> {
    let text = text.trim();
    let name_end = text.find(|c: char| c == '{' || c.is_whitespace()).unwrap_or(text.len());
    let behind_name = text.get(name_end..).unwrap_or_default();
    let braces = behind_name.trim_start();
    // Two braces begin a histogram, not labels.
    if !braces.starts_with('{') || braces.starts_with("{{") {
        return Ok((text.get(..name_end).unwrap_or_default(), behind_name));
    }
    let offset = text.len() - braces.len();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (index, c) in braces.char_indices() {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped && open != '`';
            }
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if c == '}' => return Ok(text.split_at(offset + index + 1)),
            None => {}
        }
    }
    Err(QueryError::syntax(format!("the labels of {text:?} are never closed")))
}

/// Reads the labels of a series.
///
/// # Errors
/// What is wrong with them.
pub fn parse_labels(text: &str) -> Result<Labels, QueryError> {
    read_labels(text)
}
