//! Times and values as the API writes them.

use alfred_ops_core::histogram::Histogram;
use serde::{Deserialize, Deserializer};

use super::histogram::{JsonBucket, JsonHistogram};

/// As far as a time in seconds has room for milliseconds.
const SECONDS_MAX: f64 = 9e12;

/// Milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Millis(pub(super) i64);

impl Millis {
    /// A time that is written in seconds.
    pub(super) fn of_seconds(seconds: f64) -> Result<Self, String> {
        if !seconds.is_finite() || seconds.abs() > SECONDS_MAX {
            return Err(format!("{seconds} is no time"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was just compared with what fits")]
        let millis = (seconds * 1000.0).round() as i64;
        Ok(Self(millis))
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of_seconds(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A number that is written as a text: `1`, `1e+06`, `NaN`, `-Inf`.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

/// The number that a text is.
pub(super) fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        number(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A time and a number.
#[derive(Debug)]
pub(super) struct NumberPoint {
    pub(super) at: Millis,
    pub(super) value: f64,
}

impl<'de> Deserialize<'de> for NumberPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, Number(value)) = Deserialize::deserialize(deserializer)?;
        Ok(Self { at, value })
    }
}

/// A time and a histogram.
#[derive(Debug)]
pub(super) struct HistogramPoint {
    pub(super) at: Millis,
    pub(super) histogram: Histogram,
}

#[derive(Deserialize)]
struct Written {
    count: Number,
    sum: Number,
    #[serde(default)]
    buckets: Option<Vec<(u8, Number, Number, Number)>>,
}

impl<'de> Deserialize<'de> for HistogramPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, written): (Millis, Written) = Deserialize::deserialize(deserializer)?;
        let buckets = written.buckets.unwrap_or_default();
        let buckets = buckets.into_iter().map(|(rule, Number(left), Number(right), Number(count))| {
            JsonBucket { rule, left, right, count }
        });
        let histogram =
            JsonHistogram { count: written.count.0, sum: written.sum.0, buckets: buckets.collect() };
        Ok(Self { at, histogram: histogram.read().map_err(serde::de::Error::custom)? })
    }
}
