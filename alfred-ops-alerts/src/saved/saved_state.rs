//! The document that outlives a restart.

use std::collections::BTreeSet;

use alfred_ops_core::{Document, Error, ErrorKind, Result};
use chrono::serde::ts_milliseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::saved_alert::SavedStand;
use super::{RuleKey, SavedAlert, SavedTold};

/// The form of the document; a newer one is not understood by older software.
const FORMAT: u32 = 1;
/// How large a document may become, in bytes of JSON: state stores take 1 MiB, and the estimate leaves room for what
/// stands between the entries.
const SAVED_BYTES_MAX: usize = 768 * 1024;

/// What outlives a restart: alerts by rule, and what was told of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedState {
    format: u32,
    #[serde(with = "ts_milliseconds")]
    pub(crate) saved_at: DateTime<Utc>,
    pub(crate) rules: Vec<SavedRule>,
    pub(crate) told: Vec<SavedTold>,
    /// How many alerts there was no room for.
    #[serde(default)]
    pub(crate) omitted: usize,
}

/// The saved alerts of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedRule {
    pub(crate) rule: RuleKey,
    pub(crate) alerts: Vec<SavedAlert>,
}

impl SavedState {
    /// A document of these alerts and of what was told, cut to its size.
    ///
    /// Where there is no room, firing alerts and what was told of them come first, then pending, then resolved ones. What
    /// was told of a firing alert is left out with it: the alert is told again, rather than reported as resolved.
    pub(crate) fn new(saved_at: DateTime<Utc>, rules: Vec<SavedRule>, told: Vec<SavedTold>) -> Self {
        Self::within(SAVED_BYTES_MAX, saved_at, rules, told)
    }

    pub(super) fn within(
        bytes_max: usize,
        saved_at: DateTime<Utc>,
        rules: Vec<SavedRule>,
        told: Vec<SavedTold>,
    ) -> Self {
        let mut room = Room { left: bytes_max };
        let mut kept: Vec<SavedRule> =
            rules.iter().map(|saved| SavedRule { rule: saved.rule.clone(), alerts: Vec::new() }).collect();
        let mut omitted = BTreeSet::new();
        let mut keep = |stand: SavedStand, room: &mut Room| {
            for (saved, kept) in rules.iter().zip(&mut kept) {
                for alert in saved.alerts.iter().filter(|alert| alert.state == stand) {
                    if (!kept.alerts.is_empty() || room.take(&kept.rule)) && room.take(alert) {
                        kept.alerts.push(alert.clone());
                    } else {
                        omitted.insert(alert.labels.clone());
                    }
                }
            }
            omitted.clone()
        };
        let gone = keep(SavedStand::Firing, &mut room);
        let told =
            told.into_iter().filter_map(|told| without(told, &gone)).filter(|told| room.take(told)).collect();
        keep(SavedStand::Pending, &mut room);
        let omitted = keep(SavedStand::Resolved, &mut room).len();
        kept.retain(|saved| !saved.alerts.is_empty());
        Self { format: FORMAT, saved_at, rules: kept, told, omitted }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) if it is none, [`Unsupported`](ErrorKind::Unsupported) if it is a newer form.
    pub(crate) fn read(document: &Document) -> Result<Self> {
        let format = document.value.get("format").and_then(Value::as_u64);
        if format.is_some_and(|format| format > u64::from(FORMAT)) {
            let message = format!("the document has form {}, known is {FORMAT}", format.unwrap_or_default());
            return Err(Error::new(ErrorKind::Unsupported, "read alert state", message)
                .with_target(document.key.clone())
                .with_remedy("run the newer software that wrote it, or let it be replaced"));
        }
        document.parse()
    }

    /// Whether nothing would be lost without it.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.told.is_empty()
    }

    /// Whether both hold the same, whenever they were made.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        self.rules == other.rules && self.told == other.told
    }
}

fn without(mut told: SavedTold, gone: &BTreeSet<alfred_ops_core::Labels>) -> Option<SavedTold> {
    told.firing.retain(|alert| !gone.contains(&alert.labels));
    (!told.firing.is_empty()).then_some(told)
}

fn bytes<T: Serialize>(entry: &T) -> usize {
    // One more for the comma. What cannot be written takes no room, and none of our entries is such.
    serde_json::to_vec(entry).map_or(0, |text| text.len()) + 1
}

/// How much may still be written.
#[derive(Debug)]
struct Room {
    left: usize,
}

impl Room {
    fn take<T: Serialize>(&mut self, entry: &T) -> bool {
        let Some(left) = self.left.checked_sub(bytes(entry)) else { return false };
        self.left = left;
        true
    }
}
