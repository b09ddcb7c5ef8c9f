//! A piece of a log in the archive, and its key.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::line_time::LineTimes;

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const END: &str = ".zst";
/// A year in a key has four digits: the end of 9999.
const SECONDS_MAX: i64 = 253_402_300_799;
/// So many digits of a hash make pieces distinct.
const DIGEST_DIGITS: usize = 32;

/// A piece of a log in the archive: whole lines, compressed.
///
/// Its key tells all of it, `LAST_FIRST/HOST/LOG/DIGEST_CLOSED.zst`, so that the keys alone are the index by time: they sort by
/// the time of the last line. Older keys lack `CLOSED`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ArchivedPiece {
    /// The time of its last line, in whole seconds, rounded up; if no line tells one, that of the closing of its file.
    pub last: DateTime<Utc>,
    /// The time of its first line, in whole seconds, rounded down; if no line tells one, a time before which none was written.
    pub first: DateTime<Utc>,
    /// Where it comes from: `HOST/LOG`.
    pub log: String,
    /// Of its lines and their place.
    pub(super) digest: String,
    /// When its file was closed; None for what was archived before this was told.
    pub closed_at: Option<DateTime<Utc>>,
    /// Its length in the store.
    pub bytes: u64,
}

impl ArchivedPiece {
    pub(super) fn new(
        host: &str,
        log: &str,
        (first, last): (DateTime<Utc>, DateTime<Utc>),
        closed_at: DateTime<Utc>,
        digest: &blake3::Hash,
    ) -> Self {
        let seconds = |seconds: i64| {
            DateTime::from_timestamp(seconds.clamp(0, SECONDS_MAX), 0).unwrap_or(DateTime::UNIX_EPOCH)
        };
        let up = i64::from(last.timestamp_subsec_nanos() > 0);
        let digest = digest.to_hex();
        Self {
            first: seconds(first.timestamp()),
            last: seconds(last.timestamp().saturating_add(up)),
            log: Self::log_name(host, log),
            closed_at: Some(seconds(closed_at.timestamp())),
            digest: digest.get(..DIGEST_DIGITS).unwrap_or(&digest).to_owned(),
            bytes: 0,
        }
    }

    /// Its key in the store.
    #[must_use]
    pub fn key(&self) -> String {
        let closed = self.closed_at.map_or_else(String::new, |time| format!("_{}", time.format(TIME_FORMAT)));
        format!(
            "{}_{}/{}/{}{closed}{END}",
            self.last.format(TIME_FORMAT),
            self.first.format(TIME_FORMAT),
            self.log,
            self.digest
        )
    }

    /// What the log of a host is called in the archive: `HOST/LOG`.
    pub(super) fn log_name(host: &str, log: &str) -> String {
        format!("{}/{}", portable(host), portable(log))
    }

    /// From when on its age counts: the closing of its file or its last line, whatever is later. None if nobody can tell, since
    /// its lines told a time that cannot be and its closing was not told: it is kept.
    pub(super) fn aged_from(&self) -> Option<DateTime<Utc>> {
        match self.closed_at {
            Some(closed_at) => Some(self.last.max(closed_at)),
            None => Some(self.last).filter(|last| !LineTimes::is_before_all(*last)),
        }
    }

    /// What every key of a piece that ends at `time` or later is at least.
    pub(super) fn keys_from(time: DateTime<Utc>) -> String {
        time.format(TIME_FORMAT).to_string()
    }

    /// Reads a key; None if it is not that of a piece.
    pub(super) fn parse(key: &str, bytes: u64) -> Option<Self> {
        let time = |text| Some(NaiveDateTime::parse_from_str(text, TIME_FORMAT).ok()?.and_utc());
        let (times, rest) = key.split_once('/')?;
        let (last, first) = times.split_once('_')?;
        let (log, name) = rest.strip_suffix(END)?.rsplit_once('/')?;
        let (digest, closed_at) = match name.split_once('_') {
            Some((digest, closed)) => (digest, Some(time(closed)?)),
            None => (name, None),
        };
        Some(Self {
            last: time(last)?,
            first: time(first)?,
            log: log.to_owned(),
            digest: digest.to_owned(),
            closed_at,
            bytes,
        })
    }
}

impl fmt::Display for ArchivedPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}, {} bytes", self.log, self.first, self.last, self.bytes)
    }
}

/// `name` in what every store takes in a key.
fn portable(name: &str) -> String {
    let is_portable = |character: char| character.is_ascii_alphanumeric() || "._=-".contains(character);
    let name: String =
        name.chars().map(|character| if is_portable(character) { character } else { '_' }).collect();
    // Neither this folder nor the one above.
    if name.chars().all(|character| character == '.') { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_come_back_and_cover_their_times(
            host in ".{0,8}",
            log in ".{0,8}",
            from in 0_i64..4_000_000_000_000,
            long in 0_i64..100_000_000,
        ) {
            let first = DateTime::from_timestamp_millis(from).unwrap();
            let last = first + TimeDelta::milliseconds(long);
            let piece = ArchivedPiece::new(&host, &log, (first, last), last, &blake3::hash(b"x"));
            prop_assert!(piece.first <= first && last <= piece.last);
            let key = piece.key();
            prop_assert!(key.as_str() >= ArchivedPiece::keys_from(last).as_str());
            prop_assert_eq!(ArchivedPiece::parse(&key, 0), Some(piece));
        }
    }

    #[test]
    fn years_have_four_digits() {
        let far = DateTime::from_timestamp(400_000_000_000, 1).unwrap();
        for time in [far, DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
            let piece = ArchivedPiece::new("a", "b", (time, time), time, &blake3::hash(b"x"));
            assert_eq!(ArchivedPiece::parse(&piece.key(), 0), Some(piece));
        }
    }

    #[test]
    fn the_age_counts_from_the_closing_or_the_last_line() {
        let check = |key: &str, expected: Option<&str>| {
            let piece = ArchivedPiece::parse(key, 0).unwrap();
            assert_eq!(piece.key(), key);
            let aged_from = piece.aged_from().map(|time| time.format(TIME_FORMAT).to_string());
            assert_eq!(aged_from.as_deref(), expected, "{key}");
        };
        check("20260102T000000Z_20260101T000000Z/a/b/0f_20260103T000000Z.zst", Some("20260103T000000Z"));
        check("20260102T000000Z_20260101T000000Z/a/b/0f_20260101T000000Z.zst", Some("20260102T000000Z"));
        check("19700101T000000Z_19700101T000000Z/a/b/0f_20260101T000000Z.zst", Some("20260101T000000Z"));
        check("20260102T000000Z_20260101T000000Z/a/b/0f.zst", Some("20260102T000000Z"));
        check("19700101T000000Z_19700101T000000Z/a/b/0f.zst", None);
    }
}
