//! Sums, differences, products.

use std::sync::Arc;

use super::{Histogram, ResetHint};

/// What became of two histograms that were combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    /// One was told to start anew and the other to go on: whether the result does is not known.
    pub hints_conflict: bool,
    /// Their custom bounds differed, and only the bounds that both have were kept.
    pub bounds_matched: bool,
}

impl Histogram {
    /// Adds `other`, or returns `None` and changes nothing if only one of both has custom bounds.
    ///
    /// The result has the coarser schema, the wider zero bucket, and of custom bounds those that both have.
    pub fn add(&mut self, other: &Self) -> Option<Combined> {
        self.combine(other, |left, right| left + right)
    }

    /// Subtracts `other`, in the same way.
    pub fn subtract(&mut self, other: &Self) -> Option<Combined> {
        self.combine(other, |left, right| left - right)
    }

    fn combine(&mut self, other: &Self, of: impl Fn(f64, f64) -> f64 + Copy) -> Option<Combined> {
        if self.is_custom() != other.is_custom() {
            return None;
        }
        let mut combined =
            Combined { hints_conflict: self.combine_hint(other.reset_hint), bounds_matched: false };
        let mut aligned = None;
        if self.is_custom() {
            if self.custom_bounds != other.custom_bounds {
                let other = aligned.insert(other.clone());
                self.match_custom_bounds(other);
                combined.bounds_matched = true;
            }
        } else if self.schema != other.schema || self.zero_threshold.total_cmp(&other.zero_threshold).is_ne()
        {
            let other = aligned.insert(other.clone());
            self.match_zero_buckets(other);
            self.reduce_to(other.schema);
            other.reduce_to(self.schema);
        }
        let other = aligned.as_ref().unwrap_or(other);
        self.zero_count = of(self.zero_count, other.zero_count);
        self.count = of(self.count, other.count);
        self.sum = of(self.sum, other.sum);
        self.positive = merge(&self.positive, &other.positive, of);
        self.negative = merge(&self.negative, &other.negative, of);
        Some(combined)
    }

    /// Takes over what `other` knows about resets; whether both know the opposite.
    fn combine_hint(&mut self, other: ResetHint) -> bool {
        use ResetHint::{Gauge, NotReset, Reset, Unknown};
        let (hint, conflict) = match (self.reset_hint, other) {
            (left, right) if left == right => (left, false),
            (Gauge, _) | (_, Gauge) => (Gauge, false),
            (Unknown, _) | (_, Unknown) => (Unknown, false),
            (Reset | NotReset, Reset | NotReset) => (Unknown, true),
        };
        self.reset_hint = hint;
        conflict
    }

    /// Multiplies all counts and the sum.
    pub fn multiply(&mut self, factor: f64) {
        self.each_count(|count| count * factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. Division by zero leaves no buckets.
    pub fn divide(&mut self, divisor: f64) {
        self.each_count(|count| count / divisor);
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    fn each_count(&mut self, of: impl Fn(f64) -> f64) {
        for count in [&mut self.count, &mut self.sum, &mut self.zero_count] {
            *count = of(*count);
        }
        for (_, count) in self.positive.iter_mut().chain(&mut self.negative) {
            *count = of(*count);
        }
    }

    /// Merges buckets until the exponential schema is at most `schema`; custom bounds stay as they are.
    pub fn reduce_to(&mut self, schema: i32) {
        if self.is_custom() || self.schema <= schema {
            return;
        }
        let shift = (self.schema - schema).min(31);
        for side in [&mut self.positive, &mut self.negative] {
            let mut reduced: Vec<(i32, f64)> = Vec::with_capacity(side.len());
            for (index, count) in side.iter() {
                let target = (index.saturating_sub(1) >> shift) + 1;
                match reduced.last_mut() {
                    Some((last, sum)) if *last == target => *sum += count,
                    _ => reduced.push((target, *count)),
                }
            }
            *side = reduced;
        }
        self.schema = schema;
    }

    /// Reduces the bounds of both to those that both have.
    pub(super) fn match_custom_bounds(&mut self, other: &mut Self) {
        let shared: Arc<[f64]> = self
            .custom_bounds
            .iter()
            .copied()
            .filter(|bound| other.custom_bounds.iter().any(|candidate| candidate.total_cmp(bound).is_eq()))
            .collect();
        for histogram in [self, other] {
            let mut reduced: Vec<(i32, f64)> = Vec::new();
            for (index, count) in &histogram.positive {
                let upper = histogram.upper_bound(*index);
                let target =
                    i32::try_from(shared.partition_point(|bound| *bound < upper)).unwrap_or(i32::MAX);
                match reduced.last_mut() {
                    Some((last, sum)) if *last == target => *sum += count,
                    _ => reduced.push((target, *count)),
                }
            }
            histogram.positive = reduced;
            histogram.custom_bounds = Arc::clone(&shared);
        }
    }
}

fn merge(left: &[(i32, f64)], right: &[(i32, f64)], of: impl Fn(f64, f64) -> f64) -> Vec<(i32, f64)> {
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let index = match (left.peek(), right.peek()) {
            (Some((l, _)), Some((r, _))) => *l.min(r),
            (Some((l, _)), None) => *l,
            (None, Some((r, _))) => *r,
            (None, None) => return merged,
        };
        let l = left.next_if(|(candidate, _)| *candidate == index).map_or(0.0, |(_, count)| *count);
        let r = right.next_if(|(candidate, _)| *candidate == index).map_or(0.0, |(_, count)| *count);
        merged.push((index, of(l, r)));
    }
}
