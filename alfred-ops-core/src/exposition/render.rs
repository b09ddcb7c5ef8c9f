//! Writes a page.

use std::fmt::{self, Write as _};

use super::{FamilyKind, Page};
use crate::Labels;

/// Writes a page that [`parse`](super::parse) reads back as the same samples and families.
///
/// A sample without a metric name has no form in this format and is left out.
#[must_use]
pub fn render(page: &Page) -> String {
    let mut text = String::new();
    for family in &page.families {
        let mut name = String::new();
        // Writing to a String does not fail.
        let _ = if is_plain_name(&family.name, true) {
            name.write_str(&family.name)
        } else {
            write_quoted(&mut name, &family.name)
        };
        if !family.help.is_empty() {
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(text, "# HELP {name} {help}");
        }
        if family.kind != FamilyKind::Untyped || family.help.is_empty() {
            let _ = writeln!(text, "# TYPE {name} {}", family.kind.name());
        }
    }
    for sample in page.samples.iter().filter(|sample| sample.labels.name().is_some()) {
        let _ = write!(text, "{} {}", sample.labels, Number(sample.value));
        if let Some(timestamp) = sample.timestamp {
            let _ = write!(text, " {}", timestamp.timestamp_millis());
        }
        text.push('\n');
    }
    text
}

struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value == f64::INFINITY => f.write_str("+Inf"),
            value if value == f64::NEG_INFINITY => f.write_str("-Inf"),
            value if value.is_nan() => f.write_str("NaN"),
            // Rust's shortest form that reads back as the same number.
            value => write!(f, "{value}"),
        }
    }
}

/// Writes `name{a="b"}`; a name that needs quotes goes into the braces.
pub(crate) fn write_series<W: fmt::Write>(f: &mut W, labels: &Labels) -> fmt::Result {
    let name = labels.name();
    let plain = name.is_some_and(|name| is_plain_name(name, true));
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
        if is_plain_name(label, false) {
            f.write_str(label)?;
        } else {
            write_quoted(f, label)?;
        }
        f.write_char('=')?;
        write_quoted(f, value)?;
    }
    match (separator, name) {
        (",", _) => f.write_char('}'),
        (_, None) => f.write_str("{}"),
        _ => Ok(()),
    }
}

fn is_plain_name(name: &str, colons: bool) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':'))
}

fn write_quoted<W: fmt::Write>(f: &mut W, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '\\' => f.write_str("\\\\")?,
            '"' => f.write_str("\\\"")?,
            '\n' => f.write_str("\\n")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}
