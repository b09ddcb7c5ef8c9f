//! A native histogram with float counts.

use std::fmt;
use std::sync::Arc;

use super::Bucket;

/// The coarsest exponential schema: buckets grow by 2^16.
pub const SCHEMA_MIN: i32 = -4;
/// The finest exponential schema: 256 buckets from one power of two to the next.
pub const SCHEMA_MAX: i32 = 8;
/// The schema of histograms whose bounds are listed.
pub const SCHEMA_CUSTOM: i32 = -53;

/// Whether a histogram starts anew, as its source told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum ResetHint {
    /// Not told: a reset must be found by comparing with the histogram before.
    #[default]
    Unknown,
    /// It starts anew.
    Reset,
    /// It goes on from the histogram before.
    NotReset,
    /// It is a gauge, for which the question does not arise.
    Gauge,
}

/// A native histogram with float counts: what Prometheus 3 stores and PromQL computes with.
///
/// Only buckets that count something are held, by index, in ascending order. The exponential schemas are −4
/// to 8, bucket `i` of schema `s` covering `(b^(i−1), b^i]` with `b = 2^2^−s`; around zero lies one bucket
/// `[−zero_threshold, zero_threshold]`. The schema [`SCHEMA_CUSTOM`] lists its upper bounds instead and has
/// positive buckets only. Source: Prometheus' specification of native histograms.
///
/// Equality compares contents bit by bit, without the hint.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// How fine the buckets are.
    pub schema: i32,
    /// Whether it starts anew.
    pub reset_hint: ResetHint,
    /// How many observations there are.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// How far the zero bucket reaches to both sides.
    pub zero_threshold: f64,
    /// How many observations it counts.
    pub zero_count: f64,
    /// The counts of buckets above zero by index, ascending.
    pub positive: Vec<(i32, f64)>,
    /// The counts of buckets below zero by index, ascending, mirrored at zero.
    pub negative: Vec<(i32, f64)>,
    /// The upper bounds of a custom schema, ascending, without infinity; empty otherwise.
    pub custom_bounds: Arc<[f64]>,
}

impl Histogram {
    /// An empty histogram of an exponential schema.
    #[must_use]
    pub fn exponential(schema: i32) -> Self {
        Self { schema, ..Self::default() }
    }

    /// An empty histogram with these upper bounds, ascending, infinity not among them.
    #[must_use]
    pub fn custom(bounds: impl Into<Arc<[f64]>>) -> Self {
        Self { schema: SCHEMA_CUSTOM, custom_bounds: bounds.into(), ..Self::default() }
    }

    /// Whether its bounds are listed.
    #[must_use]
    pub const fn is_custom(&self) -> bool {
        self.schema == SCHEMA_CUSTOM
    }

    /// Removes buckets that count nothing.
    pub fn compact(&mut self) {
        self.positive.retain(|(_, count)| *count != 0.0);
        self.negative.retain(|(_, count)| *count != 0.0);
    }

    /// The buckets above zero, ascending.
    pub fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.positive.iter().map(|(index, count)| self.bucket(*index, *count))
    }

    /// The buckets below zero, from zero downwards.
    pub fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.negative.iter().map(|(index, count)| {
            let mirrored = self.bucket(*index, *count);
            Bucket {
                lower: -mirrored.upper,
                upper: -mirrored.lower,
                lower_inclusive: true,
                upper_inclusive: false,
                count: *count,
            }
        })
    }

    /// The bucket around zero.
    #[must_use]
    pub const fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets that count something, ascending; the bounds of those next to zero are cut at the zero
    /// bucket where they overlap with it.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = self.negative_buckets().rev().collect();
        if let Some(last) = buckets.last_mut()
            && self.zero_count > 0.0
            && last.upper > -self.zero_threshold
        {
            last.upper = -self.zero_threshold;
        }
        // Differences can count less than nothing; Prometheus then passes over the zero bucket, and only that one.
        if self.zero_count > 0.0 {
            buckets.push(self.zero_bucket());
        }
        let positive_at = buckets.len();
        buckets.extend(self.positive_buckets());
        if let Some(first) = buckets.get_mut(positive_at)
            && self.zero_count > 0.0
            && first.lower < self.zero_threshold
        {
            first.lower = self.zero_threshold;
        }
        buckets.retain(|bucket| bucket.count != 0.0);
        buckets
    }

    fn bucket(&self, index: i32, count: f64) -> Bucket {
        let lower = self.upper_bound(index.saturating_sub(1));
        let upper = self.upper_bound(index);
        Bucket {
            lower,
            upper,
            // By the specification only the first custom bucket, which is open below, is closed on both sides.
            lower_inclusive: self.is_custom() && index == 0,
            upper_inclusive: true,
            count,
        }
    }

    /// The sum of all buckets' counts, the zero bucket's included.
    #[must_use]
    pub fn bucket_count(&self) -> f64 {
        let sum = |buckets: &[(i32, f64)]| buckets.iter().map(|(_, count)| count).sum::<f64>();
        sum(&self.negative) + self.zero_count + sum(&self.positive)
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + (self.positive.capacity() + self.negative.capacity()) * size_of::<(i32, f64)>()
            + size_of_val(&*self.custom_bounds)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            schema: 0,
            reset_hint: ResetHint::Unknown,
            count: 0.0,
            sum: 0.0,
            zero_threshold: 0.0,
            zero_count: 0.0,
            positive: Vec::new(),
            negative: Vec::new(),
            custom_bounds: Arc::from([]),
        }
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let same = |left: f64, right: f64| left.to_bits() == right.to_bits();
        let counting = |buckets: &[(i32, f64)]| -> Vec<(i32, u64)> {
            let counting = buckets.iter().filter(|(_, count)| *count != 0.0);
            counting.map(|(index, count)| (*index, count.to_bits())).collect()
        };
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && same(self.zero_threshold, other.zero_threshold)
            && same(self.zero_count, other.zero_count)
            && counting(&self.positive) == counting(&other.positive)
            && counting(&self.negative) == counting(&other.negative)
            && self.custom_bounds == other.custom_bounds
    }
}

/// The form in which Prometheus prints histograms: `{count:2, sum:3, (1,2]:2}`.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", self.count, self.sum)?;
        let mut buckets: Vec<Bucket> = self.negative_buckets().rev().collect();
        buckets.push(self.zero_bucket());
        buckets.extend(self.positive_buckets());
        for Bucket { lower, upper, lower_inclusive, upper_inclusive, count } in buckets {
            if count != 0.0 {
                let open = if lower_inclusive { '[' } else { '(' };
                let close = if upper_inclusive { ']' } else { ')' };
                write!(f, ", {open}{lower},{upper}{close}:{count}")?;
            }
        }
        f.write_str("}")
    }
}
