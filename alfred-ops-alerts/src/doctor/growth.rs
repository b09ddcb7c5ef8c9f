//! Functions for counters over what is none, and ranges that are too short for any.

use super::patient::Patient;
use super::{FindingKind, Severity};
use crate::promql::ast::{DurationContext, Function, Node, NodeKind};
use crate::promql::{Window, format_duration};

/// A counter starts again from near zero, and seldom does. What goes down by less, or more often, is a gauge.
const DROP_TO_MAX: f64 = 0.5;
const DROPS_MIN: usize = 3;
/// How many series are looked at.
const SERIES_MAX: usize = 200;

pub(super) fn examine(patient: &mut Patient<'_>) {
    let root = patient.query.root();
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    for node in nodes {
        if let NodeKind::Call { function, arguments } = &node.kind
            && let Some(NodeKind::Range { selector, range }) =
                arguments.first().map(|argument| &argument.bare().kind)
        {
            let windows = windows(patient, &selector.matchers);
            let counts = matches!(function, Function::Rate | Function::Increase | Function::Irate);
            if counts {
                gauge(patient, node, *function, selector.name().unwrap_or("the series"), &windows);
            }
            let two = counts || matches!(function, Function::Delta | Function::Idelta | Function::Deriv);
            if two && let Ok(range) = range.evaluate(&DurationContext::default()) {
                too_short(patient, node, *function, range, &windows);
            }
        }
    }
}

fn windows(patient: &Patient<'_>, matchers: &[crate::promql::ast::Matcher]) -> Vec<Window> {
    let series = patient.source.select(matchers).into_iter().take(SERIES_MAX);
    let read = |series| {
        let mut window = Window::default();
        patient.source.window(series, patient.now.saturating_sub(patient.history), patient.now, &mut window);
        window
    };
    series.map(read).collect()
}

fn gauge(patient: &mut Patient<'_>, node: &Node, function: Function, name: &str, windows: &[Window]) {
    let (mut drops, mut small_drops) = (0_usize, 0_usize);
    for window in windows {
        for pair in window.floats.windows(2) {
            let (before, now) = (pair[0].1, pair[1].1);
            if now < before {
                drops += 1;
                small_drops += usize::from(now > before * DROP_TO_MAX || now < 0.0);
            }
        }
    }
    if small_drops >= DROPS_MIN && small_drops * 2 > drops {
        let (word, other) = match function {
            Function::Increase => ("increase", "delta"),
            _ => (function.name(), "deriv"),
        };
        let text = format!(
            "{name} goes down as well as up ({drops} times in what was looked at), so it is a gauge; {word} takes each fall for \
             a counter that began again and adds it up"
        );
        let start = node.span.start;
        let span = crate::promql::Span { start, end: start + function.name().len() };
        let corrected = patient.replaced(span, other);
        patient.find_with(FindingKind::RateOfGauge, Severity::Misleading, node.span, text, Some(corrected));
    }
}

fn too_short(patient: &mut Patient<'_>, node: &Node, function: Function, range: i64, windows: &[Window]) {
    let shortest = windows.iter().filter_map(|window| {
        let times: Vec<i64> = window.floats.iter().map(|(millis, _)| *millis).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).min()
    });
    let Some(interval) = shortest.min() else { return };
    if range <= interval {
        let text = format!(
            "{} needs two samples, and a range of {} never holds more than one: samples are {} apart",
            function.name(),
            format_duration(range),
            format_duration(interval),
        );
        patient.find(FindingKind::RangeTooShort, Severity::Fatal, node.span, text);
    }
}
