//! The result of a query, whose type may be told behind it.

use std::fmt;

use alfred_ops_core::Labels;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::points::{HistogramPoint, Millis, NumberPoint, number};
use super::reply::SeriesLimit;
use crate::promql::{SampleValue, SeriesPoints, Value, VectorSample};

/// What a result looks like, whatever it is said to be.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Series with samples.
    Series(Vec<Series>),
    /// A time and a text: a scalar or a string.
    Text(String),
}

/// A series of a vector or a matrix.
#[derive(Debug, Deserialize)]
pub(super) struct Series {
    #[serde(default)]
    metric: Labels,
    #[serde(default)]
    value: Option<NumberPoint>,
    #[serde(default)]
    histogram: Option<HistogramPoint>,
    #[serde(default)]
    values: Vec<NumberPoint>,
    #[serde(default)]
    histograms: Vec<HistogramPoint>,
}

impl Outcome {
    /// The result as what it is said to be.
    pub(super) fn value(self, result_type: &str) -> Result<Value, String> {
        match (result_type, self) {
            ("vector", Self::Series(series)) => {
                series.into_iter().map(Series::sample).collect::<Result<_, _>>().map(Value::Vector)
            }
            ("matrix", Self::Series(series)) => {
                Ok(Value::Matrix(series.into_iter().map(Series::points).collect()))
            }
            ("scalar", Self::Text(text)) => number(&text).map(Value::Scalar),
            ("string", Self::Text(text)) => Ok(Value::Text(text)),
            ("vector" | "matrix" | "scalar" | "string", _) => Err(format!("the result is no {result_type}")),
            _ => Err(format!("the result type {result_type:?} is unknown")),
        }
    }
}

impl Series {
    fn sample(self) -> Result<VectorSample, String> {
        let value = match (self.value, self.histogram) {
            (Some(point), None) => SampleValue::Float(point.value),
            (None, Some(point)) => point.histogram.into(),
            (None, None) => return Err(format!("the series {} has no value", self.metric)),
            (Some(_), Some(_)) => {
                return Err(format!("the series {} has a value and a histogram", self.metric));
            }
        };
        Ok(VectorSample { labels: self.metric, value })
    }

    fn points(self) -> SeriesPoints {
        let numbers = self.values.into_iter().map(|point| (point.at.0, SampleValue::Float(point.value)));
        let histograms = self.histograms.into_iter().map(|point| (point.at.0, point.histogram.into()));
        let mut points: Vec<(i64, SampleValue)> = numbers.chain(histograms).collect();
        points.sort_by_key(|(at, _)| *at);
        SeriesPoints { labels: self.metric, points }
    }
}

pub(super) struct ResultSeed<'l> {
    pub(super) limit: &'l SeriesLimit,
}

impl<'de> DeserializeSeed<'de> for ResultSeed<'_> {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outcome, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series, or a time and a text")
    }

    /// Some servers write no series as null.
    fn visit_unit<E>(self) -> Result<Outcome, E> {
        Ok(Outcome::Series(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Outcome, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element::<Item>()? {
            match item {
                Item::Series(_) if all.len() >= self.limit.series_max => {
                    self.limit.exceeded.set(true);
                    return Err(A::Error::custom("there are more series than allowed"));
                }
                Item::Series(series) => all.push(*series),
                Item::Time if all.is_empty() => {
                    let Some(Item::Text(text)) = items.next_element()? else {
                        return Err(A::Error::custom("a time has no text behind it"));
                    };
                    return match items.next_element::<Item>()? {
                        None => Ok(Outcome::Text(text)),
                        Some(_) => Err(A::Error::custom("there is more behind a time and a text")),
                    };
                }
                Item::Time | Item::Text(_) => return Err(A::Error::custom("a series is no object")),
            }
        }
        Ok(Outcome::Series(all))
    }
}

/// What a result is made of.
enum Item {
    Series(Box<Series>),
    Time,
    Text(String),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, a time or a text")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        let series = Series::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Item::Series(Box::new(series)))
    }

    fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Item, E> {
        Millis::of_seconds(seconds).map(|_| Item::Time).map_err(E::custom)
    }

    #[expect(clippy::cast_precision_loss, reason = "only whether it is a time matters")]
    fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Item, E> {
        self.visit_f64(seconds as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "only whether it is a time matters")]
    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Item, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Item, E> {
        Ok(Item::Text(text))
    }
}
