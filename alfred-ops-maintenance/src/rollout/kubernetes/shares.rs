//! What the anchor has written on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::TrafficSplit;

/// Who is to have which share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shares {
    pub(super) split: TrafficSplit,
    /// All replicas, without those that are there only because nobody has less than one.
    pub(super) total: u32,
    /// How many each revision is to have. Who has none is left out.
    pub(super) replicas: BTreeMap<String, u32>,
    /// From where it began, until all of it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<Begun>,
}

/// Where a change began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Unlike that of any other change.
    pub(super) change: String,
    pub(super) split: TrafficSplit,
    pub(super) replicas: BTreeMap<String, u32>,
}

impl Shares {
    /// How many a revision is to have.
    pub(super) fn to(&self, revision: &str) -> u32 {
        self.replicas.get(revision).copied().unwrap_or(0)
    }

    /// All that are to be there.
    pub(super) fn sum(&self) -> u32 {
        sum(&self.replicas)
    }
}

impl Begun {
    /// How many a revision had.
    pub(super) fn from(&self, revision: &str) -> u32 {
        self.replicas.get(revision).copied().unwrap_or(0)
    }

    /// All that were there.
    pub(super) fn sum(&self) -> u32 {
        sum(&self.replicas)
    }
}

fn sum(replicas: &BTreeMap<String, u32>) -> u32 {
    replicas.values().fold(0, |sum, count| sum.saturating_add(*count))
}
