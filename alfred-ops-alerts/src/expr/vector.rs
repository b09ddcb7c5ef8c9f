//! Readings and how those of two sides meet.

use std::collections::HashMap;

use alfred_ops_core::{Error, ErrorKind, Labels, Result};

use super::Arithmetic;

/// One value of an expression, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is about. A computed value has no metric name.
    pub labels: Labels,
    /// The value.
    pub value: f64,
}

impl Reading {
    pub(super) fn nameless(self) -> Self {
        Self { labels: self.labels.without(|name| name == Labels::NAME), value: self.value }
    }

    /// Its labels of the given names.
    pub(super) fn only(&self, names: &[String]) -> Labels {
        self.labels.without(|name| !names.iter().any(|wanted| wanted == name))
    }

    /// The labels by which it meets the readings of another side: all but the name, or those of `on`.
    fn meeting(&self, on: Option<&[String]>) -> Labels {
        match on {
            Some(names) => self.only(names),
            None => self.labels.without(|name| name == Labels::NAME),
        }
    }
}

/// Computes where one reading of each side meets; what meets nothing is left out.
pub(super) fn combine(
    operator: Arithmetic,
    left: Vec<Reading>,
    right: &[Reading],
    on: Option<&[String]>,
) -> Result<Vec<Reading>> {
    let mut others: HashMap<Labels, f64> = HashMap::with_capacity(right.len());
    for reading in right {
        let key = reading.meeting(on);
        if others.insert(key.clone(), reading.value).is_some() {
            return Err(ambiguous("right", &key));
        }
    }
    let mut met: HashMap<Labels, f64> = HashMap::with_capacity(left.len());
    let mut combined = Vec::with_capacity(left.len());
    for reading in left {
        let key = reading.meeting(on);
        let Some(other) = others.get(&key) else { continue };
        if met.insert(key.clone(), reading.value).is_some() {
            return Err(ambiguous("left", &key));
        }
        combined.push(Reading { labels: key, value: operator.of(reading.value, *other) });
    }
    Ok(combined)
}

/// The readings of `left` that meet any of `right`.
pub(super) fn intersect(left: Vec<Reading>, right: &[Reading], on: Option<&[String]>) -> Vec<Reading> {
    let others: std::collections::HashSet<Labels> = right.iter().map(|reading| reading.meeting(on)).collect();
    left.into_iter().filter(|reading| others.contains(&reading.meeting(on))).collect()
}

fn ambiguous(side: &str, labels: &Labels) -> Error {
    let message = format!("several series on the {side} side meet at {labels}");
    Error::new(ErrorKind::InvalidInput, "combine series", message)
        .with_remedy("aggregate both sides to the labels by which they should meet")
}
