//! Text within URLs, escaped as Go does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Host and port. What stands in no real address still gives the URL that Go would print.
pub(super) fn host(text: &str) -> String {
    escaped(text, b"-_.~!$&'()*+,;=:[]<>\"", false)
}

/// A path: what it holds of `?`, `#` and `%` is part of it.
pub(super) fn path(text: &str) -> String {
    escaped(text, b"-_.~$&+,/:;=@", false)
}

/// A query, its names in order.
pub(super) fn query(params: &BTreeMap<String, Vec<String>>) -> String {
    let pairs = params.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let pairs = pairs
        .map(|(name, value)| format!("{}={}", escaped(name, b"-_.~", true), escaped(value, b"-_.~", true)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str, plain: &[u8], plus_for_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' if plus_for_space => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || plain.contains(&byte) => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
