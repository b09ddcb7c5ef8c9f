//! When a line was written, as it says itself.

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, Utc};

use super::json_time::{JsonTime, json_times};

/// Numbers above are milliseconds since 1970, below seconds: 5138 and 1973.
const MILLISECONDS_FROM: f64 = 1e11;
/// So many bytes of a line may come before its time and be it.
const HEAD_BYTES: usize = 256;
/// A line may be so much newer than the closing of its file: clocks differ, and times without a zone may be ahead.
const SKEW: TimeDelta = TimeDelta::days(1);
/// What is older is no time but a span, or the clock of a device that was never set: 2000.
const EARLIEST: DateTime<Utc> = match DateTime::from_timestamp(946_684_800, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};
/// RFC 3164, 4.1.2: `Oct 11 22:14:15`.
const SYSLOG_BYTES: usize = 15;

/// When lines were written, as they say themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineTimes {
    /// None for what was archived before closings were told.
    latest: Option<DateTime<Utc>>,
}

impl LineTimes {
    /// Of the lines of a file that was closed then.
    pub(super) fn new(closed_at: Option<DateTime<Utc>>) -> Self {
        Self { latest: closed_at.map(|time| time.checked_add_signed(SKEW).unwrap_or(time)) }
    }

    /// Whether `time` is one that no logger meant.
    pub(super) fn is_before_all(time: DateTime<Utc>) -> bool {
        time < EARLIEST
    }

    /// When `line` was written: `timestamp`, `time`, `ts` or `@timestamp` of a JSON object, the first of them that is a time, as
    /// RFC 3339 or a number since 1970; or the time of other text as loggers, syslog (RFC 3164 and 5424) and web servers put it.
    /// A time before 2000, or later than the closing of the file and a day, is none.
    pub(super) fn of(self, line: &[u8]) -> Option<DateTime<Utc>> {
        if line.first() == Some(&b'{') {
            return json_times(line).into_iter().flatten().find_map(|time| match time {
                JsonTime::Text(text) => self.checked(text_time(&text)?),
                JsonTime::Number(number) => self.checked(number_time(number)?),
                JsonTime::Other(_) => None,
            });
        }
        let head = line.get(..HEAD_BYTES.min(line.len()))?;
        let head = head.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let head = without_priority(head);
        let time = leading_time(head).or_else(|| self.syslog_time(head)).or_else(|| web_server_time(head));
        self.checked(time?)
    }

    fn checked(self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let is_meant = !Self::is_before_all(time) && self.latest.is_none_or(|latest| time <= latest);
        is_meant.then_some(time)
    }

    /// RFC 3164 has no year: it is the last one that the file's closing allows.
    fn syslog_time(self, head: &str) -> Option<DateTime<Utc>> {
        let text = head.get(..SYSLOG_BYTES).filter(|text| {
            let bytes = text.as_bytes();
            bytes[3] == b' ' && bytes[6] == b' ' && bytes[9] == b':' && bytes[12] == b':'
        })?;
        let latest = self.latest?;
        [latest.year(), latest.year() - 1].into_iter().find_map(|year| {
            let time = NaiveDateTime::parse_from_str(&format!("{year} {text}"), "%Y %b %e %H:%M:%S").ok()?;
            Some(time.and_utc()).filter(|time| *time <= latest)
        })
    }
}

/// Syslog's `<34>`, and the version that RFC 5424 puts behind it, are no part of the time.
fn without_priority(head: &str) -> &str {
    let Some((number, rest)) = head.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return head;
    };
    if number.is_empty() || number.len() > 3 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return head;
    }
    rest.strip_prefix("1 ").unwrap_or(rest)
}

/// A time at the beginning, perhaps in brackets.
fn leading_time(head: &str) -> Option<DateTime<Utc>> {
    let head = head.trim_start_matches('[');
    let mut words = head.split([' ', ']', '\n']);
    let day = words.next()?;
    if !day.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text_time(day).or_else(|| text_time(&format!("{day} {}", words.next()?)))
}

/// The common log format: `192.0.2.1 - - [10/Oct/2026:13:55:36 +0200] "GET /"`.
fn web_server_time(head: &str) -> Option<DateTime<Utc>> {
    let (text, _) = head.split_once('[')?.1.split_once(']')?;
    DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S %z").ok().map(|time| time.to_utc())
}

fn text_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    // Python's logging has a comma. Without a zone it is UTC.
    let text = text.replace(',', ".");
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f"];
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

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn check(line: &str, expected: Option<&str>) {
        let times = LineTimes::new(Some(time("2026-01-03T00:00:00Z")));
        assert_eq!(times.of(line.as_bytes()), expected.map(time), "{line}");
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
        check("2026/01/02 12:00:00 [error] 7#7: hello", noon);
        check("Traceback (most recent call last):", None);
        check(r#"{"message":"no time"}"#, None);
        check(r#"{"timestamp":1e300}"#, None);
        check(r#"{"timestamp":"soon"}"#, None);
        check("{", None);
        check("", None);
        check("ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ", None);
    }

    #[test]
    fn of_several_names_the_first_that_is_a_time_counts() {
        let noon = Some("2026-01-02T12:00:00Z");
        check(r#"{"time":0.35,"timestamp":"2026-01-02T12:00:00Z"}"#, noon);
        check(r#"{"timestamp":"2026-01-02T12:00:00Z","time":"2026-01-02T13:00:00Z"}"#, noon);
        check(r#"{"timestamp":null,"time":{"start":1},"@timestamp":1767355200000}"#, noon);
        check(r#"{"timestamp":"2026-01-02T12:00:00\u005a"}"#, noon);
        check(r#"{"ts":1,"ts":1767355200}"#, noon);
    }

    #[test]
    fn times_of_web_servers_and_syslog_are_read() {
        let noon = Some("2026-01-02T12:00:00Z");
        check(r#"192.0.2.1 - a [02/Jan/2026:13:00:00 +0100] "GET / HTTP/1.1" 200 2"#, noon);
        check("<34>1 2026-01-02T12:00:00.000Z host app - ID47 - hello", noon);
        check("<34>Jan  2 12:00:00 host app[1]: hello", noon);
        check("Jan  2 12:00:00 host app[1]: hello", noon);
        check("Dec 31 12:00:00 host app[1]: hello", Some("2025-12-31T12:00:00Z"));
        check("Jan  2 12:0", None);
        check("<x>Jan  2 12:00:00", None);
        check("May I have a: wo:d here", None);
        assert_eq!(LineTimes::new(None).of(b"Jan  2 12:00:00 host app[1]: hello"), None);
    }

    #[test]
    fn what_no_logger_meant_is_no_time() {
        check(r#"{"time":0.35}"#, None);
        check(r#"{"ts":3e14}"#, None);
        check("9999-12-31 23:59:59.9999999 hello", None);
        check("1999-12-31 23:59:59 hello", None);
        check("2026-01-03 23:00:00 hello", Some("2026-01-03T23:00:00Z"));
        check("2026-01-04 00:00:01 hello", None);
    }
}
