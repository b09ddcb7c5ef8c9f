//! When a line was written, as it says itself.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

/// Numbers above are milliseconds since 1970, below seconds: 5138 and 1973.
const MILLISECONDS_FROM: f64 = 1e11;

/// What loggers call the time of a line.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, alias = "time", alias = "ts", alias = "@timestamp")]
    timestamp: Option<Time<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Time<'a> {
    Text(&'a str),
    Number(f64),
}

/// When `line` was written: `timestamp`, `time`, `ts` or `@timestamp` of a JSON object, as RFC 3339 or a number since 1970,
/// or a time at the beginning of other text.
pub(super) fn line_time(line: &[u8]) -> Option<DateTime<Utc>> {
    if line.first() == Some(&b'{') {
        return match serde_json::from_slice::<Line<'_>>(line).ok()?.timestamp? {
            Time::Text(text) => text_time(text),
            Time::Number(number) => number_time(number),
        };
    }
    let head = line.get(..40.min(line.len()))?;
    let head = head.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let head = head.trim_start_matches('[');
    let mut words = head.split([' ', ']', '\n']);
    let day = words.next()?;
    text_time(day).or_else(|| text_time(&format!("{day} {}", words.next()?)))
}

fn text_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    // Python's logging has a comma. Without a zone it is UTC.
    let text = text.replace(',', ".");
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .map(|time| time.and_utc())
}

fn number_time(number: f64) -> Option<DateTime<Utc>> {
    let milliseconds = if number > MILLISECONDS_FROM { number } else { number * 1e3 };
    let is_a_time = milliseconds.is_finite() && milliseconds.abs() < 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "it was compared before")]
    is_a_time.then(|| DateTime::from_timestamp_millis(milliseconds as i64)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let expected = expected.map(|text| DateTime::parse_from_rfc3339(text).unwrap().to_utc());
        assert_eq!(line_time(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn times_are_read_as_loggers_write_them() {
        let noon = Some("2026-01-02T12:00:00Z");
        check(r#"{"timestamp":"2026-01-02T12:00:00.000000Z","level":"INFO"}"#, noon);
        check(r#"{"level":"INFO","time":"2026-01-02T13:00:00+01:00"}"#, noon);
        check(r#"{"ts":1767355200.0}"#, noon);
        check(r#"{"@timestamp":1767355200000}"#, noon);
        check("2026-01-02T12:00:00Z INFO hello", noon);
        check("2026-01-02 12:00:00,000 - root - hello", noon);
        check("[2026-01-02 12:00:00] hello", noon);
        check("2026-01-02 12:00:00\n", noon);
        check("Traceback (most recent call last):", None);
        check(r#"{"message":"no time"}"#, None);
        check(r#"{"timestamp":1e300}"#, None);
        check(r#"{"timestamp":"soon"}"#, None);
        check("{", None);
        check("", None);
        check("ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ", None);
    }
}
