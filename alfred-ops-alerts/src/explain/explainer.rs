//! Takes an expression apart and evaluates its parts.

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::comparison::compare;
use super::join::join;
use super::oracle::{Oracle, SeriesOracle};
use super::{Explanation, Insight};
use crate::promql::ast::{BinaryOp, Node, NodeKind};
use crate::promql::{Query, QueryOptions, SeriesSource, Value, VectorSample};

/// How many samples are shown of each part.
const EXAMPLES_MAX: usize = 5;
/// How many parts are explained: an expression with more is not read by anybody.
const PARTS_MAX: usize = 200;

/// Explains what `query` comes to at `at`: what each of its parts comes to, and where samples are lost. Pure.
///
/// Examples and misses are of samples that agree with `about` in all labels that they share with it; `Labels::empty()`
/// asks about all. Counts are of all samples. What stands within a subquery is evaluated at `at` itself. Parts beyond
/// the first 200 are left out. A part that has no answer says why.
#[must_use]
pub fn explain(
    query: &Query,
    source: &dyn SeriesSource,
    at: DateTime<Utc>,
    about: &Labels,
    options: &QueryOptions,
) -> Explanation {
    explain_by(query, &SeriesOracle { source, millis: at.timestamp_millis(), options }, about)
}

/// The same by whoever knows what the parts come to.
pub(crate) fn explain_by(query: &Query, oracle: &dyn Oracle, about: &Labels) -> Explanation {
    Explainer { text: query.text(), oracle, about }.part(query.root(), &mut PARTS_MAX.clone()).0
}

struct Explainer<'a> {
    text: &'a str,
    oracle: &'a dyn Oracle,
    about: &'a Labels,
}

impl Explainer<'_> {
    /// A part, and its value.
    fn part(&self, node: &Node, left: &mut usize) -> (Explanation, Option<Value>) {
        let node = node.bare();
        *left = left.saturating_sub(1);
        let answer = self.oracle.value(self.text, node);
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for child in node.children().into_iter().map(Node::bare) {
            if *left == 0 {
                break;
            }
            if matches!(child.kind, NodeKind::Number(_) | NodeKind::Text(_)) {
                values.push(constant(child));
                continue;
            }
            let (part, value) = self.part(child, left);
            parts.push(part);
            values.push(value);
        }
        let found = answer.as_ref().map(samples).unwrap_or_default();
        let asked = found.iter().filter(|sample| self.asked(&sample.labels));
        let explanation = Explanation {
            text: node.span.of(self.text).to_owned(),
            samples: found.len(),
            examples: asked.take(EXAMPLES_MAX).cloned().collect(),
            error: answer.as_ref().err().cloned(),
            insight: self.insight(node, &values),
            parts,
            source: None,
        };
        (explanation, answer.ok())
    }

    fn insight(&self, node: &Node, values: &[Option<Value>]) -> Option<Insight> {
        match &node.kind {
            NodeKind::Selector(selector) | NodeKind::Range { selector, .. } => {
                Some(self.oracle.selector(selector))
            }
            NodeKind::Binary { op, matching, .. } => {
                let [Some(left), Some(right)] = values else { return None };
                let asked = |labels: &Labels| self.asked(labels);
                match (left, right) {
                    (Value::Vector(lefts), Value::Vector(rights)) if *op != BinaryOp::Or => {
                        let joined = join(matching, lefts, rights, &asked);
                        // A comparison of sides that all meet is of interest for its numbers.
                        let all_meet = joined.left.meeting == joined.left.samples;
                        Some(if op.compares() && all_meet && !lefts.is_empty() {
                            Insight::Comparison(compare(*op, matching, (left, right), &asked))
                        } else {
                            Insight::Join(joined)
                        })
                    }
                    _ if op.compares() => {
                        Some(Insight::Comparison(compare(*op, matching, (left, right), &asked)))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether labels agree with those that were asked about, as far as both have them.
    fn asked(&self, labels: &Labels) -> bool {
        self.about.iter().all(|(name, value)| labels.get(name).is_none_or(|own| own == value))
    }
}

/// The value of a number or a text, which nobody need be asked.
fn constant(node: &Node) -> Option<Value> {
    match &node.kind {
        NodeKind::Number(value) => Some(Value::Scalar(*value)),
        NodeKind::Text(text) => Some(Value::Text(String::from_utf8_lossy(text).into_owned())),
        _ => None,
    }
}

/// A value as samples; of a range the latest of each series.
fn samples(value: &Value) -> Vec<VectorSample> {
    match value {
        Value::Scalar(value) => vec![VectorSample { labels: Labels::empty(), value: (*value).into() }],
        Value::Text(_) => Vec::new(),
        Value::Vector(samples) => samples.clone(),
        Value::Matrix(series) => {
            let latest = series.iter().filter_map(|series| {
                let (_, value) = series.points.last()?;
                Some(VectorSample { labels: series.labels.clone(), value: value.clone() })
            });
            latest.collect()
        }
    }
}
