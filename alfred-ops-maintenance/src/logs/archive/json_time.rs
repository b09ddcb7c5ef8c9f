//! What a line of JSON calls its time.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

/// So many names are known.
const NAMES: usize = 4;

/// What loggers call the time of a line, the most usual first.
#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier)]
enum Name {
    #[serde(rename = "timestamp")]
    Timestamp,
    #[serde(rename = "time")]
    Time,
    #[serde(rename = "ts")]
    Ts,
    #[serde(rename = "@timestamp")]
    AtTimestamp,
    #[serde(other)]
    Other,
}

/// What may be a time.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum JsonTime<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(f64),
    Other(IgnoredAny),
}

/// What may be the time of `line`, an object, by name in the order of preference. Of a name that is there twice the last counts.
pub(super) fn json_times(line: &[u8]) -> [Option<JsonTime<'_>>; NAMES] {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    deserializer.deserialize_map(Times).unwrap_or_default()
}

struct Times;

impl<'a> Visitor<'a> for Times {
    type Value = [Option<JsonTime<'a>>; NAMES];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let mut times = Self::Value::default();
        while let Some(name) = members.next_key::<Name>()? {
            let [timestamp, time, ts, at_timestamp] = &mut times;
            let place = match name {
                Name::Timestamp => timestamp,
                Name::Time => time,
                Name::Ts => ts,
                Name::AtTimestamp => at_timestamp,
                Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = Some(members.next_value()?);
        }
        Ok(times)
    }
}
