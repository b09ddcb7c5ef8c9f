//! Who gets which part of the traffic.

use std::collections::BTreeMap;
use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Percents of the traffic by revision: none of them zero, and exactly 100 together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, u8>", into = "BTreeMap<String, u8>")]
pub struct TrafficSplit(BTreeMap<String, u8>);

impl TrafficSplit {
    /// Everything to one revision.
    #[must_use]
    pub fn all(revision: impl Into<String>) -> Self {
        Self(BTreeMap::from([(revision.into(), 100)]))
    }

    /// The given shares; those of zero are left out.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if they are not 100 together.
    pub fn new(shares: impl IntoIterator<Item = (String, u8)>) -> Result<Self> {
        let shares: BTreeMap<String, u8> = shares.into_iter().filter(|(_, percent)| *percent > 0).collect();
        let sum: u32 = shares.values().map(|percent| u32::from(*percent)).sum();
        if sum != 100 {
            let fault = format!("percent: the shares are {sum} together, not 100");
            return Err(Error::new(ErrorKind::InvalidInput, "split traffic", fault)
                .with_remedy("give every revision its share of 100"));
        }
        Ok(Self(shares))
    }

    /// `percent` to the candidate, at most 100, and the rest to the stable revision.
    #[must_use]
    pub fn canary(stable: &str, candidate: &str, percent: u8) -> Self {
        let percent = percent.min(100);
        let shares = [(stable.to_owned(), 100 - percent), (candidate.to_owned(), percent)];
        Self(shares.into_iter().filter(|(_, percent)| *percent > 0).collect())
    }

    /// The share of a revision.
    #[must_use]
    pub fn percent(&self, revision: &str) -> u8 {
        self.0.get(revision).copied().unwrap_or(0)
    }

    /// The one revision that gets everything, if one does.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        self.0.iter().next().filter(|(_, percent)| **percent == 100).map(|(revision, _)| revision.as_str())
    }

    /// Revisions and their shares, by name.
    pub fn shares(&self) -> impl Iterator<Item = (&str, u8)> {
        self.0.iter().map(|(revision, percent)| (revision.as_str(), *percent))
    }
}

impl TryFrom<BTreeMap<String, u8>> for TrafficSplit {
    type Error = Error;

    fn try_from(shares: BTreeMap<String, u8>) -> Result<Self> {
        Self::new(shares)
    }
}

impl From<TrafficSplit> for BTreeMap<String, u8> {
    fn from(split: TrafficSplit) -> Self {
        split.0
    }
}

impl fmt::Display for TrafficSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (revision, percent)) in self.0.iter().enumerate() {
            write!(f, "{}{percent} % to {revision}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
