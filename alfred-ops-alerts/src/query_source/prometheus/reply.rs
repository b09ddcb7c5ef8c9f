//! Reads what a server says, straight from its text.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::result::{Outcome, ResultSeed};
use crate::promql::{Annotations, Answer, Value};

/// What a server says.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Answer(Answer),
    Refusal(Refusal),
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Refusal {
    pub(super) error_type: String,
    pub(super) error: String,
}

/// Why a text is no reply.
#[derive(Debug)]
pub(super) enum ReplyFault {
    TooManySeries,
    EndsTooSoon(serde_json::Error),
    Malformed(serde_json::Error),
}

/// How many series a reply may have, and whether it has more.
#[derive(Debug)]
pub(super) struct SeriesLimit {
    pub(super) series_max: usize,
    pub(super) exceeded: Cell<bool>,
}

impl SeriesLimit {
    pub(super) const fn new(series_max: usize) -> Self {
        Self { series_max, exceeded: Cell::new(false) }
    }
}

/// Reads a reply. Fields that are not known are passed over: servers add statistics and traces.
pub(super) fn read(text: &[u8], limit: &SeriesLimit) -> Result<Reply, ReplyFault> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = ReplySeed { limit }.deserialize(&mut reader);
    read.and_then(|reply| reader.end().map(|()| reply)).map_err(|error| {
        if limit.exceeded.get() {
            ReplyFault::TooManySeries
        } else if error.is_eof() {
            ReplyFault::EndsTooSoon(error)
        } else {
            ReplyFault::Malformed(error)
        }
    })
}

struct ReplySeed<'l> {
    limit: &'l SeriesLimit,
}

impl<'de> DeserializeSeed<'de> for ReplySeed<'_> {
    type Value = Reply;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reply, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReplySeed<'_> {
    type Value = Reply;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a status")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reply, A::Error> {
        let mut status: Option<String> = None;
        let mut data = None;
        let mut refusal = Refusal::default();
        let mut annotations = Annotations::default();
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "status" => status = Some(map.next_value()?),
                "data" => data = map.next_value_seed(DataSeed { limit: self.limit })?,
                "errorType" => refusal.error_type = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "error" => refusal.error = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "warnings" => {
                    let texts = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default();
                    annotations = texts.iter().fold(annotations, |all, text| all.with_warning(text));
                }
                "infos" => {
                    let texts = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default();
                    annotations = texts.iter().fold(annotations, |all, text| all.with_info(text));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match (status.as_deref(), data) {
            (Some("success"), Some(value)) => Ok(Reply::Answer(Answer { value, annotations })),
            (Some("success"), None) => Err(serde::de::Error::missing_field("data")),
            (Some("error"), _) => Ok(Reply::Refusal(refusal)),
            (Some(other), _) => Err(serde::de::Error::unknown_variant(other, &["success", "error"])),
            (None, _) => Err(serde::de::Error::missing_field("status")),
        }
    }
}

/// Reads `data`: a type and a result, in any order.
struct DataSeed<'l> {
    limit: &'l SeriesLimit,
}

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with resultType and result")
    }

    /// Beside an error.
    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut result_type: Option<String> = None;
        let mut outcome: Option<Outcome> = None;
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "resultType" => result_type = map.next_value()?,
                "result" => outcome = Some(map.next_value_seed(ResultSeed { limit: self.limit })?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match (result_type, outcome) {
            (Some(result_type), Some(outcome)) => {
                outcome.value(&result_type).map(Some).map_err(serde::de::Error::custom)
            }
            (Some(_), None) => Err(serde::de::Error::missing_field("result")),
            // Beside an error; an answer without a type is refused for want of data.
            (None, _) => Ok(None),
        }
    }
}
