//! Positions in Postgres' write-ahead log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A log sequence number: a byte position in the write-ahead log, written `16/B374D848` as Postgres does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// The start of the segment that holds this position.
    #[must_use]
    pub const fn segment_start(self, segment_bytes: u64) -> Self {
        Self(self.0 - self.0 % segment_bytes)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Lsn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (high, low) = text.split_once('/')?;
            let high = u32::from_str_radix(high, 16).ok()?;
            let low = u32::from_str_radix(low, 16).ok()?;
            Some(Self((u64::from(high) << 32) | u64::from(low)))
        };
        parse().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "parse LSN",
                format!("{text:?} is not of the form 16/B374D848"),
            )
        })
    }
}

impl TryFrom<String> for Lsn {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_round_trips(position: u64) {
            let lsn = Lsn(position);
            prop_assert_eq!(lsn.to_string().parse::<Lsn>().unwrap(), lsn);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text: String) {
            let _ = text.parse::<Lsn>();
        }
    }

    #[test]
    fn it_reads_as_postgres_writes() {
        assert_eq!("16/B374D848".parse::<Lsn>().unwrap(), Lsn(0x16_b374_d848));
        assert_eq!(Lsn(0x16_b374_d848).segment_start(16 << 20), Lsn(0x16_b300_0000));
    }
}
