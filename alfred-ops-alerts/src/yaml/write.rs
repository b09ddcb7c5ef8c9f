//! Writes YAML.

use std::fmt::Write as _;

use super::{Node, Value};

/// The document as text: block style, texts in double quotes unless they cannot be taken for anything else.
pub(crate) fn write(node: &Node) -> String {
    let mut text = String::new();
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => map(&mut text, node, 0),
        Value::List(items) if !items.is_empty() => list(&mut text, node, 0),
        _ => {
            inline(&mut text, node);
            text.push('\n');
        }
    }
    text
}

fn map(text: &mut String, node: &Node, indent: usize) {
    let Value::Map(entries) = &node.value else { return };
    for (index, (key, _, value)) in entries.iter().enumerate() {
        // The first key of a map in a list stands behind the dash.
        if index > 0 || !text.ends_with("- ") {
            pad(text, indent);
        }
        scalar(text, key, false);
        text.push(':');
        below(text, value, indent);
    }
}

fn below(text: &mut String, value: &Node, indent: usize) {
    match &value.value {
        Value::Map(entries) if !entries.is_empty() => {
            text.push('\n');
            map(text, value, indent + 2);
        }
        Value::List(items) if !items.is_empty() => {
            text.push('\n');
            list(text, value, indent + 2);
        }
        _ => {
            text.push(' ');
            inline(text, value);
            text.push('\n');
        }
    }
}

fn list(text: &mut String, node: &Node, indent: usize) {
    let Value::List(items) = &node.value else { return };
    for item in items {
        pad(text, indent);
        match &item.value {
            Value::Map(entries) if !entries.is_empty() => {
                text.push_str("- ");
                map(text, item, indent + 2);
            }
            Value::List(items) if !items.is_empty() => {
                text.push_str("-\n");
                list(text, item, indent + 2);
            }
            _ => {
                text.push_str("- ");
                inline(text, item);
                text.push('\n');
            }
        }
    }
}

fn inline(text: &mut String, node: &Node) {
    match &node.value {
        Value::Scalar { text: value, plain } => scalar(text, value, *plain),
        Value::List(_) => text.push_str("[]"),
        Value::Map(_) => text.push_str("{}"),
    }
}

fn scalar(text: &mut String, value: &str, plain: bool) {
    if plain || is_plain(value) {
        text.push_str(value);
        return;
    }
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            ' '..='~' => text.push(c),
            c => {
                let _ = write!(text, "\\U{:08x}", u32::from(c));
            }
        }
    }
    text.push('"');
}

/// Whether a text can stand without quotes: a word that no reader of YAML, old or new, takes for a number, a
/// truth value, a date or nothing.
fn is_plain(value: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}
