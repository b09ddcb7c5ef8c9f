//! How many samples pass a comparison.

use std::collections::HashMap;
use std::fmt;

use alfred_ops_core::Labels;

use super::explanation::shown;
use super::join::signature;
use crate::promql::ast::{BinaryOp, Matching};
use crate::promql::{SampleValue, Value};

/// How many samples pass a comparison.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Compared {
    /// The comparison's sign.
    pub sign: &'static str,
    /// How many pairs of numbers were compared.
    pub compared: usize,
    /// How many of them pass.
    pub passing: usize,
    /// Which of those that were asked about came nearest without passing.
    pub nearest_miss: Option<NearestMiss>,
}

/// A sample that nearly passed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NearestMiss {
    /// Its labels.
    pub labels: Labels,
    /// What is on the left of the comparison.
    pub left: f64,
    /// What is on the right.
    pub right: f64,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sign, compared, passing, nearest_miss } = self;
        write!(f, "{passing} of {compared} pass")?;
        if let Some(NearestMiss { labels, left, right }) = nearest_miss {
            let (left, right) = (SampleValue::Float(*left), SampleValue::Float(*right));
            write!(f, "; nearest miss {}: {left} {sign} {right} does not hold", shown(labels))?;
        }
        Ok(())
    }
}

/// Compares two sides; `asked` chooses whose misses are of interest.
pub(super) fn compare(
    op: BinaryOp,
    matching: &Matching,
    (left, right): (&Value, &Value),
    asked: &dyn Fn(&Labels) -> bool,
) -> Compared {
    let mut compared = Compared { sign: op.sign(), compared: 0, passing: 0, nearest_miss: None };
    for (labels, left, right) in pairs(matching, left, right) {
        compared.compared += 1;
        if holds(op, left, right) {
            compared.passing += 1;
            continue;
        }
        let nearer = |miss: &NearestMiss| (left - right).abs() < (miss.left - miss.right).abs();
        if asked(&labels) && compared.nearest_miss.as_ref().is_none_or(nearer) {
            compared.nearest_miss = Some(NearestMiss { labels, left, right });
        }
    }
    compared
}

/// The numbers that are compared. Histograms are left out.
fn pairs(matching: &Matching, left: &Value, right: &Value) -> Vec<(Labels, f64, f64)> {
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => vec![(Labels::empty(), *left, *right)],
        (Value::Vector(samples), Value::Scalar(right)) => samples
            .iter()
            .filter_map(|sample| Some((sample.labels.clone(), sample.value.float()?, *right)))
            .collect(),
        (Value::Scalar(left), Value::Vector(samples)) => samples
            .iter()
            .filter_map(|sample| Some((sample.labels.clone(), *left, sample.value.float()?)))
            .collect(),
        (Value::Vector(left), Value::Vector(right)) => {
            let mut of_right: HashMap<Labels, Vec<f64>> = HashMap::new();
            for sample in right {
                let values = of_right.entry(signature(matching, &sample.labels)).or_default();
                values.extend(sample.value.float());
            }
            let pair = |sample: &crate::promql::VectorSample| {
                let (labels, left) = (sample.labels.clone(), sample.value.float());
                let rights = of_right.get(&signature(matching, &labels)).cloned().unwrap_or_default();
                rights.into_iter().filter_map(move |right| Some((labels.clone(), left?, right)))
            };
            left.iter().flat_map(pair).collect()
        }
        _ => Vec::new(),
    }
}

fn holds(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessOrEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterOrEqual => left >= right,
        _ => false,
    }
}
