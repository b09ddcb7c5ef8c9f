//! Identifiers that sort by the time they were made.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Entropy, Error, ErrorKind};

/// A UUID version 7 (RFC 9562): 48 bits of milliseconds, then randomness.
///
/// Its text form sorts by time of making, so that listings of object stores and tables come in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(Uuid);

impl Id {
    /// A new identifier made at `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The identifier that [`as_bytes`](Self::as_bytes) wrote.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// When it was made, to the millisecond.
    #[must_use]
    pub fn made_at(&self) -> DateTime<Utc> {
        let [a, b, c, d, e, f, ..] = *self.as_bytes();
        let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        DateTime::from_timestamp_millis(millis).unwrap_or_default()
    }

    /// The sixteen bytes, in the order in which they sort.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text).map(Self).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "parse id", format!("{text:?} is not a UUID"))
                .with_source(source)
        })
    }
}

impl TryFrom<String> for Id {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let entropy = SeededEntropy::new(1);
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let ids: Vec<Id> =
            (0..50).map(|step| Id::new(start + TimeDelta::milliseconds(step), &entropy)).collect();
        assert!(ids.is_sorted());
        let texts: Vec<String> = ids.iter().map(Id::to_string).collect();
        assert!(texts.is_sorted());
        assert_eq!(texts[7].parse::<Id>().unwrap(), ids[7]);
        assert_eq!(Id::from_bytes(*ids[7].as_bytes()), ids[7]);
        assert_eq!(ids[7].made_at(), start + TimeDelta::milliseconds(7));
        assert!("backup-1".parse::<Id>().unwrap_err().to_string().contains("backup-1"));
    }
}
