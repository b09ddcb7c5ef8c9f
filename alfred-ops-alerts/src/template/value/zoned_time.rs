//! Moments in a time zone.

use std::fmt;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use chrono_tz::Tz;

use super::layout;
use super::{Answer, Span, Value};

/// A moment, told in a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZonedTime(DateTime<Tz>);

impl ZonedTime {
    /// The moment.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        self.0.with_timezone(&Utc)
    }

    /// The same moment in the zone of this name, such as `Europe/Vienna`; `None` if there is no such zone.
    #[must_use]
    pub fn in_zone(self, name: &str) -> Option<Self> {
        let zone = if name.is_empty() { Tz::UTC } else { name.parse::<Tz>().ok()? };
        Some(Self(self.0.with_timezone(&zone)))
    }

    /// How long after `earlier` it is, as far as a span reaches.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        let difference = self.0.signed_duration_since(earlier.0);
        let nearest = if difference < chrono::TimeDelta::zero() { i64::MIN } else { i64::MAX };
        Span::from_nanos(difference.num_nanoseconds().unwrap_or(nearest))
    }

    /// The moment as this layout of Go shows it: the layout is how 2006-01-02 15:04:05 would look.
    #[must_use]
    pub fn format(self, layout: &str) -> String {
        layout::format(&self.0, layout)
    }

    /// What a method of Go's `time.Time` returns.
    pub(in crate::template) fn ask(self, name: &str, arguments: &[Value]) -> Answer {
        let value = match (name, arguments) {
            ("Format", [Value::Text(layout)]) => Value::from(self.format(layout)),
            ("Add", [Value::Span(span)]) => {
                match self.0.checked_add_signed(chrono::TimeDelta::nanoseconds(span.nanos())) {
                    Some(time) => Value::Time(Self(time)),
                    None => return Answer::Failed("the sum lies outside of the calendar".to_owned()),
                }
            }
            ("Sub", [Value::Time(earlier)]) => Value::Span(self.since(*earlier)),
            ("Before", [Value::Time(other)]) => Value::Bool(self.0 < other.0),
            ("After", [Value::Time(other)]) => Value::Bool(self.0 > other.0),
            ("Equal", [Value::Time(other)]) => Value::Bool(self.0 == other.0),
            ("Format" | "Add" | "Sub" | "Before" | "After" | "Equal", _) => {
                let wanted = match name {
                    "Format" => "a layout such as \"2006-01-02 15:04\"",
                    "Add" => "a duration",
                    _ => "a time",
                };
                return Answer::Failed(format!("{name} takes {wanted}"));
            }
            (_, []) => return self.part(name),
            _ => return Answer::Unknown,
        };
        Answer::Value(value)
    }

    fn part(self, name: &str) -> Answer {
        let time = self.0;
        let number = match name {
            "Unix" => time.timestamp(),
            "UnixMilli" => time.timestamp_millis(),
            "UnixMicro" => time.timestamp_micros(),
            "UnixNano" => time.timestamp_nanos_opt().unwrap_or(i64::MAX),
            "Year" => i64::from(time.year()),
            "YearDay" => i64::from(time.ordinal()),
            "Day" => i64::from(time.day()),
            "Hour" => i64::from(time.hour()),
            "Minute" => i64::from(time.minute()),
            "Second" => i64::from(time.second()),
            "Nanosecond" => i64::from(time.nanosecond()),
            "Month" => return Answer::Value(Value::from(self.format("January"))),
            "Weekday" => return Answer::Value(Value::from(self.format("Monday"))),
            "String" => return Answer::Value(Value::from(self.to_string())),
            // The machine's zone is nothing that a text may depend on.
            "UTC" | "Local" => return Answer::Value(Value::from(self.utc())),
            "IsZero" => {
                return Answer::Value(Value::Bool(
                    self.format("2006-01-02 15:04:05") == "0001-01-01 00:00:00",
                ));
            }
            _ => return Answer::Unknown,
        };
        Answer::Value(Value::Int(number))
    }
}

impl From<DateTime<Utc>> for ZonedTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.with_timezone(&Tz::UTC))
    }
}

/// As Go writes it: `2006-01-02 15:04:05 +0000 UTC`.
impl fmt::Display for ZonedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}
