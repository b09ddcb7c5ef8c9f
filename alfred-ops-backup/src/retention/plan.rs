//! The decision: which backups are kept, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alfred_ops_core::Id;
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::Serialize;

use super::RetentionPolicy;
use crate::BackupRecord;

/// Why a backup is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeepReason {
    /// It is held until somebody releases it.
    Held,
    /// It is one of the newest.
    Newest,
    /// It is the newest of a day.
    Daily,
    /// It is the newest of a week.
    Weekly,
    /// It is the newest of a month.
    Monthly,
    /// It lies within the window of recovery, or the window begins on it.
    Window,
}

/// What becomes of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The backup.
    pub id: Id,
    /// When it was complete.
    pub finished_at: DateTime<Utc>,
    /// Why it is kept; without a reason it is forgotten.
    pub keep: BTreeSet<KeepReason>,
}

/// Which backups are kept and which are forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionPlan {
    /// Every backup, oldest first.
    pub verdicts: Vec<Verdict>,
}

impl RetentionPlan {
    /// Decides. Pure: the same backups, holds, policy and moment give the same plan. A backup that is said
    /// to end in the future (a clock was wrong) is kept as the newest are.
    #[must_use]
    pub fn new(
        backups: &[BackupRecord],
        held: &BTreeSet<Id>,
        policy: &RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Self {
        let mut sources: BTreeMap<(&str, &str), Vec<&BackupRecord>> = BTreeMap::new();
        for record in backups {
            sources.entry((&record.backend, &record.source)).or_default().push(record);
        }
        let mut reasons: BTreeMap<Id, BTreeSet<KeepReason>> = BTreeMap::new();
        for mut records in sources.into_values() {
            records.sort_by_key(|record| std::cmp::Reverse((record.finished_at, record.id)));
            for (record, reason) in wanted(&records, policy, now) {
                reasons.entry(record).or_default().insert(reason);
            }
        }
        let verdict = |record: &BackupRecord| {
            let mut keep = reasons.remove(&record.id).unwrap_or_default();
            if held.contains(&record.id) {
                keep.insert(KeepReason::Held);
            }
            Verdict { id: record.id, finished_at: record.finished_at, keep }
        };
        Self { verdicts: backups.iter().map(verdict).collect() }
    }

    /// The backups that are forgotten, oldest first.
    pub fn forgotten(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.keep.is_empty())
    }
}

impl fmt::Display for RetentionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.verdicts {
            let reasons: Vec<String> =
                verdict.keep.iter().map(|reason| format!("{reason:?}").to_lowercase()).collect();
            let what = if reasons.is_empty() { "forget".to_owned() } else { reasons.join(", ") };
            writeln!(f, "{}  {}  {what}", verdict.id, verdict.finished_at.format("%Y-%m-%d %H:%M"))?;
        }
        Ok(())
    }
}

/// What each rule wants of the backups of one source, newest first.
fn wanted(
    newest_first: &[&BackupRecord],
    policy: &RetentionPolicy,
    now: DateTime<Utc>,
) -> Vec<(Id, KeepReason)> {
    let mut wanted = Vec::new();
    for record in newest_first.iter().take(policy.copies_min.max(1)) {
        wanted.push((record.id, KeepReason::Newest));
    }
    for (count, reason) in [
        (policy.daily, KeepReason::Daily),
        (policy.weekly, KeepReason::Weekly),
        (policy.monthly, KeepReason::Monthly),
    ] {
        let mut seen = BTreeSet::new();
        for record in newest_first {
            if seen.insert(period(&reason, record.finished_at)) && seen.len() <= count {
                wanted.push((record.id, reason.clone()));
            }
        }
    }
    let window = TimeDelta::from_std(policy.window).unwrap_or(TimeDelta::MAX);
    let begins = now.checked_sub_signed(window).unwrap_or(DateTime::<Utc>::MIN_UTC);
    for record in newest_first {
        wanted.push((record.id, KeepReason::Window));
        if record.finished_at <= begins {
            break;
        }
    }
    wanted
}

/// The year and the number in it of the period that a rule counts.
fn period(rule: &KeepReason, at: DateTime<Utc>) -> (i32, u32) {
    match rule {
        KeepReason::Weekly => (at.iso_week().year(), at.iso_week().week()),
        KeepReason::Monthly => (at.year(), at.month()),
        _ => (at.year(), at.ordinal()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alfred_ops_core::SeededEntropy;
    use proptest::prelude::*;

    use super::*;
    use crate::{BackupMode, BackupStats};

    fn record(hours_ago: i64, source: &str, now: DateTime<Utc>) -> BackupRecord {
        let at = now - TimeDelta::hours(hours_ago);
        BackupRecord {
            id: Id::new(at, &SeededEntropy::new(hours_ago.cast_unsigned())),
            backend: "memory".to_owned(),
            source: source.to_owned(),
            mode: BackupMode::Full,
            base: None,
            note: None,
            started_at: at,
            finished_at: at,
            stats: BackupStats::default(),
            log: None,
            facts: serde_json::Value::Null,
            index_hash: String::new(),
        }
    }

    fn now() -> DateTime<Utc> {
        // A Tuesday.
        DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc()
    }

    fn policy() -> RetentionPolicy {
        RetentionPolicy { copies_min: 1, daily: 0, weekly: 0, monthly: 0, window: Duration::ZERO }
    }

    /// The ages in hours of what is kept, and the reasons.
    fn kept(ages: &[i64], policy: &RetentionPolicy) -> Vec<(i64, String)> {
        let records: Vec<BackupRecord> = ages.iter().map(|&age| record(age, "a", now())).collect();
        let plan = RetentionPlan::new(&records, &BTreeSet::new(), policy, now());
        let kept = plan.verdicts.iter().zip(ages).filter(|(verdict, _)| !verdict.keep.is_empty());
        kept.map(|(verdict, &age)| (age, format!("{:?}", verdict.keep))).collect()
    }

    #[test]
    fn calendars_keep_the_newest_of_each_period() {
        let days = policy().with_calendar(2, 0, 0);
        let ages = [60, 40, 38, 20, 14, 6, 1];
        let found: Vec<i64> = kept(&ages, &days).into_iter().map(|(age, _)| age).collect();
        assert_eq!(found, [14, 1], "the newest of yesterday and of today");
        // Monday to Sunday, across a change of year.
        let weeks = policy().with_calendar(0, 3, 0);
        let found: Vec<i64> =
            kept(&[24 * 20, 24 * 9, 24 * 8, 24 * 2, 30, 3], &weeks).into_iter().map(|(age, _)| age).collect();
        assert_eq!(found, [24 * 9, 24 * 2, 3]);
        let months = policy().with_calendar(0, 0, 2);
        assert_eq!(kept(&[24 * 60, 24 * 30, 24 * 25, 5], &months).len(), 2);
    }

    #[test]
    fn the_window_keeps_what_it_begins_on() {
        let window = policy().with_window(Duration::from_secs(24 * 3600));
        let found: Vec<i64> = kept(&[50, 30, 20, 10], &window).into_iter().map(|(age, _)| age).collect();
        assert_eq!(found, [30, 20, 10]);
        let found: Vec<i64> = kept(&[20, 10], &window).into_iter().map(|(age, _)| age).collect();
        assert_eq!(found, [20, 10], "nothing is old enough to begin on");
    }

    #[test]
    fn holds_and_other_sources_stand_apart() {
        let records = [record(500, "a", now()), record(400, "b", now()), record(300, "a", now())];
        let none = policy().with_copies_min(0);
        let plan = RetentionPlan::new(&records, &BTreeSet::new(), &none, now());
        let forgotten: Vec<Id> = plan.forgotten().map(|verdict| verdict.id).collect();
        assert_eq!(forgotten, [records[0].id], "the last of each source is always kept");
        let plan = RetentionPlan::new(&records, &BTreeSet::from([records[0].id]), &none, now());
        assert_eq!(plan.forgotten().count(), 0);
        assert!(plan.to_string().contains("held"), "{plan}");
    }

    proptest! {
        #[test]
        fn the_newest_stays_and_more_policy_keeps_more(
            ages in prop::collection::vec(0i64..5000, 1..40),
            daily in 0usize..9, weekly in 0usize..6, window in 0u64..500,
        ) {
            let small = policy().with_calendar(daily, weekly, 0);
            let large = small.with_calendar(daily + 1, weekly + 1, 2).with_window(Duration::from_secs(window * 3600));
            let (few, many) = (kept(&ages, &small), kept(&ages, &large));
            let newest = ages.iter().min().unwrap();
            prop_assert!(few.iter().any(|(age, _)| age == newest));
            prop_assert!(few.iter().all(|(age, _)| many.iter().any(|(other, _)| other == age)));
        }
    }
}
