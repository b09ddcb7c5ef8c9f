//! How series are written.

use std::fmt;

use super::cursor::{LABEL, METRIC, is_plain};
use crate::Labels;

/// Writes `name{a="b"}`; a name that needs quotes goes into the braces.
pub(crate) fn write_series<W: fmt::Write>(f: &mut W, labels: &Labels) -> fmt::Result {
    let name = labels.name();
    let plain = name.is_some_and(|name| is_plain(name, METRIC));
    if let Some(name) = name.filter(|_| plain) {
        f.write_str(name)?;
    }
    let mut separator = "{";
    if let Some(name) = name.filter(|_| !plain) {
        f.write_str(separator)?;
        write_quoted(f, name)?;
        separator = ",";
    }
    for (label, value) in labels.iter().filter(|(label, _)| *label != Labels::NAME) {
        f.write_str(separator)?;
        separator = ",";
        write_name(f, label, LABEL)?;
        f.write_char('=')?;
        write_quoted(f, value)?;
    }
    match (separator, name) {
        (",", _) => f.write_char('}'),
        (_, None) => f.write_str("{}"),
        _ => Ok(()),
    }
}

/// Writes a name, in quotes if it has bytes that are not of `class`.
pub(super) fn write_name<W: fmt::Write>(f: &mut W, name: &str, class: u8) -> fmt::Result {
    if is_plain(name, class) { f.write_str(name) } else { write_quoted(f, name) }
}

fn write_quoted<W: fmt::Write>(f: &mut W, text: &str) -> fmt::Result {
    f.write_char('"')?;
    write_escaped(f, text, true)?;
    f.write_char('"')
}

/// Writes `text` with its backslashes and line breaks escaped, and its quotes where they must be.
pub(super) fn write_escaped<W: fmt::Write>(f: &mut W, text: &str, quotes: bool) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\\' => f.write_str("\\\\")?,
            '"' if quotes => f.write_str("\\\"")?,
            '\n' => f.write_str("\\n")?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}
