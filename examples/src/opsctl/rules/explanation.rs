//! Why a query comes to nothing.

use alfred_ops_alerts::promql::ast::{Node, NodeKind, Selector};
use alfred_ops_alerts::promql::{Answer, Query, QueryOptions, SeriesSource, Value};
use alfred_ops_core::Labels;

use super::series_file::show_time;

/// How deep a query is followed.
const DEPTH_MAX: usize = 16;
/// Samples shown of a side.
const SHOWN_MAX: usize = 3;

/// Follows a query that comes to nothing to the parts that do.
#[derive(Clone, Copy)]
pub(super) struct Explainer<'a> {
    pub(super) source: &'a dyn SeriesSource,
    /// When, in milliseconds since 1970.
    pub(super) at: i64,
    pub(super) options: &'a QueryOptions,
}

impl Explainer<'_> {
    /// Why `query` comes to nothing, a reason a line; empty if that cannot be told.
    pub(super) fn why_empty(&self, query: &Query) -> Vec<String> {
        let mut reasons = Vec::new();
        self.follow(query.text(), query.root(), DEPTH_MAX, &mut reasons);
        reasons
    }

    fn follow(&self, text: &str, node: &Node, depth: usize, reasons: &mut Vec<String>) {
        if depth == 0 {
            return;
        }
        match &node.kind {
            NodeKind::Selector(selector) => {
                reasons.extend(self.of_selector(text, node, selector, "a sample"));
            }
            NodeKind::Range { selector, .. } => {
                reasons.extend(self.of_selector(text, node, selector, "two samples in the range"));
            }
            NodeKind::Binary { op, left, right, .. } => {
                self.of_sides(text, node, op.compares(), [left, right], depth, reasons);
            }
            _ => {
                for child in node.children() {
                    self.follow(text, child, depth - 1, reasons);
                }
            }
        }
    }

    fn of_selector(&self, text: &str, node: &Node, selector: &Selector, needs: &str) -> Option<String> {
        let written = node.span.of(text);
        let series = self.source.select(&selector.matchers);
        if !series.is_empty() {
            let at = show_time(self.at);
            return (!self.has_enough(written))
                .then(|| format!("{written} names {} series, but none has {needs} at {at}", series.len()));
        }
        let named = selector.name().is_some_and(|name| {
            let any = Query::parse(name).ok();
            any.is_some_and(|query| match &query.root().kind {
                NodeKind::Selector(selector) => !self.source.select(&selector.matchers).is_empty(),
                _ => false,
            })
        });
        Some(match (named, selector.name()) {
            (true, Some(name)) => {
                format!("{written}: there are series of {name}, but none with these labels")
            }
            _ => format!("{written}: there is no such series"),
        })
    }

    fn of_sides(
        &self,
        text: &str,
        node: &Node,
        compares: bool,
        sides: [&Node; 2],
        depth: usize,
        reasons: &mut Vec<String>,
    ) {
        let written = sides.map(|side| side.span.of(text));
        let samples = written.map(|side| self.samples(side).unwrap_or_default());
        let mut an_empty_side = false;
        for (side, samples) in sides.into_iter().zip(&samples) {
            if samples.is_empty() {
                an_empty_side = true;
                self.follow(text, side, depth - 1, reasons);
            }
        }
        if an_empty_side {
            return;
        }
        let [left, right] = samples.map(|samples| show(&samples));
        let whole = node.span.of(text);
        reasons.push(match (compares, is_number(sides[1])) {
            (true, true) => format!("{whole} does not hold: {} is {left}", written[0]),
            (true, false) => {
                format!("{whole} holds for none: the left side is {left}, the right side {right}")
            }
            (false, _) => {
                format!(
                    "{whole}: no labels of the sides agree: the left side is {left}, the right side {right}"
                )
            }
        });
    }

    /// Whether a selector has a sample, or one with a range two of one series: with fewer no function of it says
    /// anything.
    fn has_enough(&self, text: &str) -> bool {
        let answer = Query::parse(text).ok().map(|query| query.instant(self.source, self.at, self.options));
        match answer {
            Some(Ok(Answer { value: Value::Vector(samples), .. })) => !samples.is_empty(),
            Some(Ok(Answer { value: Value::Matrix(series), .. })) => {
                series.iter().any(|series| series.points.len() > 1)
            }
            _ => false,
        }
    }

    /// What a part of the query comes to by itself.
    fn samples(&self, text: &str) -> Option<Vec<(Labels, String)>> {
        let answer = Query::parse(text).ok()?.instant(self.source, self.at, self.options).ok()?;
        Some(match answer.value {
            Value::Scalar(value) => vec![(Labels::empty(), value.to_string())],
            Value::Text(text) => vec![(Labels::empty(), text)],
            Value::Vector(samples) => {
                samples.into_iter().map(|sample| (sample.labels, sample.value.to_string())).collect()
            }
            Value::Matrix(series) => series
                .into_iter()
                .map(|series| (series.labels, format!("{} samples", series.points.len())))
                .collect(),
        })
    }
}

fn is_number(node: &Node) -> bool {
    match &node.bare().kind {
        NodeKind::Number(_) => true,
        NodeKind::Negate(of) => is_number(of),
        _ => false,
    }
}

/// A few samples in a sentence.
fn show(samples: &[(Labels, String)]) -> String {
    let one = |(labels, value): &(Labels, String)| {
        if labels.is_empty() { value.clone() } else { format!("{labels} {value}") }
    };
    let shown: Vec<String> = samples.iter().take(SHOWN_MAX).map(one).collect();
    let more = samples.len().saturating_sub(SHOWN_MAX);
    let shown = shown.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
