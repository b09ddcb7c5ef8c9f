//! What the history showed.

use std::collections::BTreeMap;

use alfred_ops_core::{Outcome, Result, RunRecord, Trigger};
use chrono::{DateTime, TimeDelta, Utc};

use crate::chaos::surroundings::breach;

/// What the history showed so far.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) settled: BTreeMap<DateTime<Utc>, RunRecord>,
    pub(super) abandoned: usize,
    last_abandoned: Option<DateTime<Utc>>,
}

impl Audit {
    pub(super) fn add(&mut self, history: &[RunRecord]) -> Result<()> {
        if !history.is_sorted_by_key(|record| record.epoch) {
            return Err(breach(format!("an older epoch wrote after a newer one: {history:?}")));
        }
        for record in history {
            if record.outcome == Outcome::Abandoned && self.last_abandoned < Some(record.ended_at) {
                self.abandoned += 1;
                self.last_abandoned = Some(record.ended_at);
            }
            if !record.outcome.is_settled() || record.trigger != Trigger::Schedule {
                continue;
            }
            let first = self.settled.entry(record.slot).or_insert_with(|| record.clone());
            if first != record {
                return Err(breach(format!("a slot was settled twice: {first:?} and {record:?}")));
            }
        }
        Ok(())
    }

    /// Each slot is settled, or was skipped by policy and counted.
    pub(super) fn verify(&self, now: DateTime<Utc>) -> Result<()> {
        let mut expected = self.settled.keys().next().copied().unwrap_or(now);
        for (slot, record) in &self.settled {
            let skipped = TimeDelta::seconds(i64::try_from(record.skipped).unwrap_or(i64::MAX));
            if *slot != expected + skipped {
                return Err(breach(format!("slot {expected} is missing before {slot}")));
            }
            expected = *slot + TimeDelta::seconds(1);
        }
        if expected + TimeDelta::seconds(5) < now {
            return Err(breach(format!("no slot was settled from {expected} to {now}")));
        }
        Ok(())
    }
}
