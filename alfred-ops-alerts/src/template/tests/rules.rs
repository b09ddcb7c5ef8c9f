use super::agreed::{AGREED, FAILING, UNREADABLE};
use super::{check, expand};
use crate::template::Template;

#[test]
fn texts_are_those_of_prometheus() {
    let differing: Vec<_> = AGREED
        .iter()
        .map(|(text, expected)| (*text, *expected, expand(text).unwrap_or_else(|error| format!("error: {error}"))))
        .filter(|(_, expected, ours)| expected != ours)
        .collect();
    assert!(differing.is_empty(), "template, Prometheus', ours: {differing:#?}");
}

#[test]
fn what_prometheus_cannot_render_fails() {
    let rendered: Vec<_> = FAILING.iter().filter_map(|text| expand(text).ok().map(|ours| (*text, ours))).collect();
    assert!(rendered.is_empty(), "{rendered:#?}");
}

#[test]
fn what_prometheus_cannot_read_is_refused() {
    let read: Vec<_> = UNREADABLE.iter().filter(|text| Template::parse(text).is_ok()).collect();
    assert!(read.is_empty(), "{read:#?}");
}
