//! A look at the archive and the server from outside.

use std::ops::Range;

use alfred_ops_core::{Id, Lsn};
use serde::Serialize;

/// How an archive and its server stand to each other, seen from outside: nobody needs to archive meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WalReport {
    /// The cluster's system identifier.
    pub system_id: String,
    /// The timeline that the server writes.
    pub timeline: u32,
    /// How far it has.
    pub written: Lsn,
    /// How far that is stored without a gap since the newest backup, or since the slot's beginning without
    /// one.
    pub stored: Lsn,
    /// Bytes between the two.
    pub lag_bytes: u64,
    /// From where the slot keeps WAL on the server; `None` if there is no slot or the server gave it up.
    pub slot_keeps_from: Option<Lsn>,
    /// How much the slot may keep before the server gives it up; `None` without a bound, when the slot may
    /// fill the server's disk.
    pub slot_limit_bytes: Option<u64>,
    /// The newest backup that restores along this log.
    pub newest_backup: Option<Id>,
    /// WAL that is not stored and that the slot does not keep. The server may still have it; if not, backups
    /// from before restore only up to its beginning.
    pub gap: Option<Range<Lsn>>,
}

impl WalReport {
    /// What is wrong and what to do, the worst first. Empty if all is well.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        if let Some(gap) = &self.gap {
            findings.push(format!(
                "the log may have a gap from {} to {}: run the archiver, and take a full backup if it reports the gap",
                gap.start, gap.end
            ));
        }
        if self.newest_backup.is_none() {
            findings.push("no backup can be restored along this log: take one".to_owned());
        }
        match (self.slot_keeps_from, self.slot_limit_bytes) {
            (None, _) => findings.push(
                "the server has no such slot, or gave it up: run the archiver, which makes it".to_owned(),
            ),
            (Some(_), None) => findings.push(
                "the slot may fill the server's disk: set max_slot_wal_keep_size".to_owned(),
            ),
            (Some(_), Some(limit)) if self.lag_bytes > limit / 2 => findings.push(format!(
                "{} bytes are not stored, and the server gives the slot up at {limit}: check the archiver and the store",
                self.lag_bytes
            )),
            _ => {}
        }
        findings
    }
}
