//! A piece of a log in the archive, and its key.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const END: &str = ".zst";
/// So many digits of a hash make pieces distinct.
const DIGEST_DIGITS: usize = 32;

/// A piece of a log in the archive: whole lines, compressed.
///
/// Its key tells all of it, `LAST_FIRST/HOST/LOG/DIGEST.zst`, so that the keys alone are the index by time: they sort by the
/// time of the last line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ArchivedPiece {
    /// The time of its last line, in whole seconds, rounded up.
    pub last: DateTime<Utc>,
    /// The time of its first line, in whole seconds, rounded down.
    pub first: DateTime<Utc>,
    /// Where it comes from: `HOST/LOG`.
    pub log: String,
    /// Of its lines and their place.
    pub(super) digest: String,
    /// Its length in the store.
    pub bytes: u64,
}

impl ArchivedPiece {
    pub(super) fn new(
        host: &str,
        log: &str,
        (first, last): (DateTime<Utc>, DateTime<Utc>),
        digest: &blake3::Hash,
    ) -> Self {
        let seconds = |time: DateTime<Utc>| DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time);
        let up = if last.timestamp_subsec_nanos() > 0 { TimeDelta::seconds(1) } else { TimeDelta::zero() };
        let digest = digest.to_hex();
        Self {
            first: seconds(first),
            last: seconds(last) + up,
            log: format!("{}/{}", portable(host), portable(log)),
            digest: digest.get(..DIGEST_DIGITS).unwrap_or(&digest).to_owned(),
            bytes: 0,
        }
    }

    /// Its key in the store.
    #[must_use]
    pub fn key(&self) -> String {
        format!(
            "{}_{}/{}/{}{END}",
            self.last.format(TIME_FORMAT),
            self.first.format(TIME_FORMAT),
            self.log,
            self.digest
        )
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
        let (log, digest) = rest.strip_suffix(END)?.rsplit_once('/')?;
        Some(Self {
            last: time(last)?,
            first: time(first)?,
            log: log.to_owned(),
            digest: digest.to_owned(),
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
            let piece = ArchivedPiece::new(&host, &log, (first, last), &blake3::hash(b"x"));
            prop_assert!(piece.first <= first && last <= piece.last);
            let key = piece.key();
            prop_assert!(key.as_str() >= ArchivedPiece::keys_from(last).as_str());
            prop_assert_eq!(ArchivedPiece::parse(&key, 0), Some(piece));
        }
    }
}
