//! What a disaster would cost now.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{BackupRecord, BackupStats};

/// How a log stands that is stored while the service runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogState {
    /// How far it is stored without a gap.
    pub stored: u64,
    /// How far back a disaster would take the service now: the age of the oldest byte that is not stored.
    pub unstored_for: Duration,
    /// Behind the newest gap, before which nothing leads on.
    pub whole_since: u64,
}

/// How fast a restore is. Take the values of a rehearsal: the defaults are on the safe side of one modest disk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RestoreRates {
    /// Until the first byte, and from the last until the service is open.
    pub fixed: Duration,
    /// Captured bytes written in a second.
    pub bytes_per_second: f64,
    /// Bytes of log fetched and replayed in a second.
    pub log_bytes_per_second: f64,
}

impl Default for RestoreRates {
    fn default() -> Self {
        Self { fixed: Duration::from_secs(30), bytes_per_second: 100e6, log_bytes_per_second: 30e6 }
    }
}

/// What a disaster would cost now, as far as backups and the log tell.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RecoveryOutlook {
    /// The recovery point: so far back would it take the service. `None` if there is no backup.
    pub rpo: Option<Duration>,
    /// The recovery time: so long would a restore to the newest state take. `None` if there is no backup.
    pub rto_estimate: Option<Duration>,
    /// Backups that the newest one builds on, itself included.
    pub chain_length: u64,
    /// When the newest backup was safe.
    pub newest_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub newest_took: Duration,
    /// What it took.
    pub newest: BackupStats,
}

impl RecoveryOutlook {
    /// The outlook with these backups, oldest first, and the log that goes on from them.
    #[must_use]
    pub fn new(
        backups: &[BackupRecord],
        log: Option<&LogState>,
        rates: &RestoreRates,
        now: DateTime<Utc>,
    ) -> Self {
        let Some(newest) = backups.last() else { return Self::default() };
        let since_backup = (now - newest.finished_at).to_std().unwrap_or_default();
        let positions = newest.log.as_ref().map(|range| &range.positions);
        // A log that does not reach the backup, or not from it, adds nothing.
        let leads_on = log
            .zip(positions)
            .filter(|(log, positions)| log.stored >= positions.end && log.whole_since <= positions.start);
        let log_bytes = match (leads_on, positions) {
            (Some((log, positions)), _) => log.stored - positions.start,
            (None, Some(positions)) => positions.end - positions.start,
            (None, None) => 0,
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = newest.stats.raw_bytes as f64 / rates.bytes_per_second
            + log_bytes as f64 / rates.log_bytes_per_second;
        let copying = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Self {
            rpo: Some(leads_on.map_or(since_backup, |(log, _)| log.unstored_for)),
            rto_estimate: Some(rates.fixed.saturating_add(copying)),
            chain_length: chain_length(backups, newest),
            newest_at: Some(newest.finished_at),
            newest_took: newest.duration(),
            newest: newest.stats,
        }
    }
}

fn chain_length(backups: &[BackupRecord], newest: &BackupRecord) -> u64 {
    let mut length = 1;
    let mut base = newest.base;
    // Bases are older than what builds on them, so one way through the list finds them all.
    for record in backups.iter().rev() {
        if Some(record.id) == base {
            length += 1;
            base = record.base;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::Id;
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn record(number: u8, base: Option<u8>) -> BackupRecord {
        let id =
            |number: u8| format!("00000000-0000-7000-8000-0000000000{number:02x}").parse::<Id>().unwrap();
        serde_json::from_value(json!({
            "id": id(number), "backend": "postgres", "source": "test", "mode": "full", "base": base.map(id),
            "note": null, "started_at": at(0), "finished_at": at(10), "facts": {}, "index_hash": "",
            "stats": { "files": 1, "raw_bytes": 200, "received_bytes": 200, "new_bytes": 200, "stored_bytes": 9 },
            "log": { "log": "wal", "positions": { "start": 100, "end": 150 } },
        }))
        .unwrap()
    }

    fn rates() -> RestoreRates {
        RestoreRates { fixed: Duration::from_secs(1), bytes_per_second: 100.0, log_bytes_per_second: 50.0 }
    }

    #[test]
    fn without_a_backup_nothing_comes_back() {
        let outlook = RecoveryOutlook::new(&[], Some(&LogState::default()), &rates(), at(0));
        assert_eq!((outlook.rpo, outlook.rto_estimate), (None, None));
    }

    #[test]
    fn a_log_counts_only_if_it_leads_on_from_the_backup() {
        let backups = [record(1, None), record(2, Some(1)), record(3, Some(2))];
        let seconds = Duration::from_secs;
        let with = |log: Option<LogState>| RecoveryOutlook::new(&backups, log.as_ref(), &rates(), at(70));
        let log = |stored, whole_since| LogState { stored, unstored_for: seconds(4), whole_since };
        let good = with(Some(log(300, 100)));
        // 1 s, 200 bytes at 100 a second, 200 bytes of log at 50 a second.
        assert_eq!((good.rpo, good.rto_estimate), (Some(seconds(4)), Some(seconds(7))));
        assert_eq!((good.chain_length, good.newest_took), (3, seconds(10)));
        for poor in [None, Some(log(149, 0)), Some(log(300, 101))] {
            let outlook = with(poor);
            assert_eq!((outlook.rpo, outlook.rto_estimate), (Some(seconds(60)), Some(seconds(4))));
        }
    }
}
