//! When which kind of backup is due.

use std::time::Duration;

use alfred_ops_core::{Result, Schedule};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{BackupMode, BackupRecord, BackupRequest};

/// So much the clocks of hosts may differ.
const CLOCKS_DIFFER_MAX: TimeDelta = TimeDelta::hours(1);

/// When which kind of backup is due: one at every slot of `slots`, and it reads everything where the last
/// that did is `full_every` old.
///
/// What is due is decided from the repository at each slot, so a full backup that was missed or failed is
/// made up for at the next one, by whichever host runs it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupSchedule {
    /// When a backup is taken.
    pub slots: Schedule,
    /// How old the last full one may get.
    pub full_every: Duration,
    /// How long WAL may wait for company before it is stored, for the archiver's
    /// `WalArchiveOptions::with_seal_after`.
    pub seal_after: Duration,
}

impl BackupSchedule {
    /// A backup at every slot, a full one as often as `full_every`, WAL stored within 5 s.
    #[must_use]
    pub const fn new(slots: Schedule, full_every: Duration) -> Self {
        Self { slots, full_every, seal_after: Duration::from_secs(5) }
    }

    /// The operations guide's cadence: full daily, incremental hourly, the log within 15 minutes.
    ///
    /// # Errors
    /// Those of [`Schedule::every`]; the periods here are valid.
    pub fn daily_full_hourly_incremental_15min_wal() -> Result<Self> {
        const HOUR: Duration = Duration::from_secs(3600);
        Ok(Self {
            slots: Schedule::every(HOUR)?,
            full_every: 24 * HOUR,
            seal_after: Duration::from_secs(15 * 60),
        })
    }

    /// What is due now, given the backups there are of this source, in any order. Pure.
    #[must_use]
    pub fn due(&self, backups: &[BackupRecord], now: DateTime<Utc>) -> BackupRequest {
        // One that only fell back to reading everything tidies nothing up, and says why it did.
        let full = |record: &&BackupRecord| record.mode == BackupMode::Full && record.note.is_none();
        // A clock that was wrong may have dated a backup into the future: that one tells nothing.
        let known = |at: &DateTime<Utc>| *at <= now + CLOCKS_DIFFER_MAX;
        let last = backups.iter().filter(full).map(|record| record.started_at).filter(known).max();
        // A slot comes a little early or late; a full backup shall not wander by a slot each day.
        let age_max = self.full_every - self.full_every / 48;
        let age_max = TimeDelta::from_std(age_max).unwrap_or(TimeDelta::MAX);
        match last {
            Some(last) if now - last < age_max => BackupRequest::incremental(),
            _ => BackupRequest::full(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::{Id, SeededEntropy};

    use super::*;
    use crate::BackupStats;

    fn record(started_at: DateTime<Utc>, mode: BackupMode, note: Option<&str>) -> BackupRecord {
        BackupRecord {
            id: Id::new(started_at, &SeededEntropy::new(1)),
            backend: "postgres".to_owned(),
            source: "a".to_owned(),
            mode,
            base: None,
            note: note.map(str::to_owned),
            started_at,
            finished_at: started_at,
            stats: BackupStats::default(),
            log: None,
            facts: serde_json::Value::Null,
            index_hash: String::new(),
        }
    }

    #[test]
    fn a_day_has_one_full_backup_and_a_missed_one_is_made_up_for() {
        let schedule = BackupSchedule::daily_full_hourly_incremental_15min_wal().unwrap();
        let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut backups = Vec::new();
        let mut fulls = Vec::new();
        for hour in 0..100 {
            // Slots come up to three minutes late; from hour 47 to 52 the host is down.
            let now = start + TimeDelta::hours(hour) + TimeDelta::seconds(hour * 37 % 180);
            if (47..52).contains(&hour) {
                continue;
            }
            let request = schedule.due(&backups, now);
            if request.mode == BackupMode::Full {
                fulls.push(hour);
            }
            backups.push(record(now, request.mode, None));
        }
        assert_eq!(fulls, [0, 24, 52, 76]);
        let fallback = [record(start, BackupMode::Full, Some("everything was read: …"))];
        assert_eq!(schedule.due(&fallback, start + TimeDelta::hours(1)), BackupRequest::full());
        let from_the_future = [record(start + TimeDelta::days(700), BackupMode::Full, None)];
        assert_eq!(schedule.due(&from_the_future, start), BackupRequest::full());
        let of_a_faster_clock = [record(start + TimeDelta::minutes(3), BackupMode::Full, None)];
        assert_eq!(schedule.due(&of_a_faster_clock, start), BackupRequest::incremental());
    }
}
