//! The server: WAL, replicas, ages, settings, and what the catalogue says. Pure.

use super::dangers::DANGERS;
use super::{
    DatabaseFacts, DatabaseFault, DatabaseFinding, DatabaseRemedy, DatabaseSeverity, DoctorPolicy, Oddity,
    SlotView,
};

/// Warnings of the server begin here, and the end is near.
const AGE_CRITICAL: u64 = 1_600_000_000;

pub(super) fn findings(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    use DatabaseSeverity::{Critical, Warning};
    let finding = |fault, severity, place: &str, figures: String, advice: &str| {
        DatabaseFinding::new(fault, severity, place, figures, DatabaseRemedy::Do(advice.to_owned()))
    };
    found.extend(facts.slots.iter().filter_map(|slot| self::slot(slot, policy)));
    for (name, lag) in &facts.replicas {
        if let Some(lag) = lag.filter(|lag| *lag >= policy.wal_bytes_max) {
            let advice = "look at its disk, its network and the queries it runs";
            let figures = format!("{lag} bytes behind");
            found.push(finding(DatabaseFault::ReplicaBehind, Warning, name, figures, advice));
        }
    }
    for (name, xids, multixacts) in &facts.ages {
        let place = format!("database {}", super::sql_name(name));
        for (fault, age) in
            [(DatabaseFault::OldTransactions, *xids), (DatabaseFault::OldMultixacts, *multixacts)]
        {
            if age >= policy.age_max {
                let severity = if age >= AGE_CRITICAL { Critical } else { Warning };
                let advice = "VACUUM (FREEZE) its oldest tables, and end what holds the horizon or turns autovacuum off";
                found.push(finding(fault, severity, &place, format!("its oldest is {age} old"), advice));
            }
        }
    }
    for (name, failures) in &facts.checksum_failures {
        let advice = "look at the disk; check the last backup; pg_amcheck tells which tables";
        let figures = format!("{failures} pages failed");
        let place = format!("database {}", super::sql_name(name));
        found.push(finding(DatabaseFault::ChecksumFailures, Critical, &place, figures, advice));
    }
    if let Some(archiver) =
        facts.archiver.as_ref().filter(|archiver| archiver.failed_at > archiver.archived_at)
    {
        let figures = format!(
            "{} failures, the last at {} with {}",
            archiver.failures,
            archiver.failed_at.map_or_else(String::new, |at| at.to_string()),
            archiver.failed_file
        );
        let advice = "the server's log tells what archive_command said";
        found.push(finding(DatabaseFault::FailingArchiver, Critical, "archiver", figures, advice));
    }
    settings(facts, found);
    found.extend(facts.oddities.iter().map(oddity));
}

fn slot(slot: &SlotView, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    let name = slot.name.replace('\'', "''");
    let place = format!("slot {}", slot.name);
    let drop = format!("SELECT pg_drop_replication_slot('{name}')");
    if slot.wal_status == "lost" {
        let advice = DatabaseRemedy::Do(format!("{drop}, and set its reader up anew"));
        let figures = "the WAL it needs is gone";
        let (fault, severity) = (DatabaseFault::LostSlot, DatabaseSeverity::Warning);
        return Some(DatabaseFinding::new(fault, severity, place, figures, advice));
    }
    let is_ending = slot.wal_status == "unreserved";
    if !is_ending && (slot.is_active || slot.held_bytes < policy.wal_bytes_max) {
        return None;
    }
    let severity = if is_ending { DatabaseSeverity::Critical } else { DatabaseSeverity::Warning };
    let state = if is_ending { "; its WAL goes with the next checkpoint" } else { "" };
    let figures = format!("{} bytes of WAL are kept for it{state}", slot.held_bytes);
    let advice = DatabaseRemedy::Do(format!("start its reader, or if there is none any more {drop}"));
    Some(DatabaseFinding::new(DatabaseFault::IdleSlot, severity, place, figures, advice))
}

fn settings(facts: &DatabaseFacts, found: &mut Vec<DatabaseFinding>) {
    for setting in &facts.settings {
        let place = if setting.scope.is_empty() {
            setting.name.clone()
        } else {
            format!("{} for {}", setting.name, setting.scope)
        };
        if setting.is_pending {
            let remedy = DatabaseRemedy::Do("restart the server within its maintenance window".to_owned());
            let figures = format!("it still runs with {}", setting.value);
            let (fault, severity) = (DatabaseFault::PendingRestart, DatabaseSeverity::Notice);
            found.push(DatabaseFinding::new(fault, severity, &place, figures, remedy));
        }
        let Some(danger) = DANGERS.iter().find(|danger| danger.name == setting.name) else { continue };
        // What is set for one role or one database is somebody's wish, unless it may cost data.
        let matters = setting.scope.is_empty() || danger.severity == DatabaseSeverity::Critical;
        if matters && !danger.safe.contains(&setting.value.as_str()) {
            let safe = danger.safe.first().copied().unwrap_or_default();
            let remedy = DatabaseRemedy::Do(format!("set it to {safe}"));
            let figures = format!("it is {}: {}", setting.value, danger.what);
            let fault = DatabaseFault::DangerousSetting;
            found.push(DatabaseFinding::new(fault, danger.severity, place, figures, remedy));
        }
    }
}

fn oddity(oddity: &Oddity) -> DatabaseFinding {
    use DatabaseFault as Fault;
    let severity = match oddity.fault {
        Fault::CollationChanged | Fault::MissingSynchronous => DatabaseSeverity::Critical,
        Fault::DuplicateForeignKey
        | Fault::NoPrimaryKey
        | Fault::NotValidated
        | Fault::OutdatedExtension
        | Fault::Unlogged
        | Fault::Unpopulated
        | Fault::FilledDefault => DatabaseSeverity::Notice,
        _ => DatabaseSeverity::Warning,
    };
    let remedy = match &oddity.statement {
        Some(statement) => DatabaseRemedy::Run(statement.clone()),
        None => DatabaseRemedy::Do(oddity.advice.clone()),
    };
    DatabaseFinding::new(oddity.fault, severity, &oddity.place, &oddity.detail, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose;

    fn check(facts: &DatabaseFacts, text: &[&str]) {
        let findings = diagnose(facts, &DoctorPolicy::default());
        let found: Vec<String> = findings
            .iter()
            .map(|finding| {
                format!("{:?} {} {}: {}", finding.severity, finding.fault, finding.place, finding.figures)
            })
            .collect();
        assert_eq!(found, text);
    }

    fn slot(name: &str, wal_status: &str, is_active: bool, held_bytes: u64) -> SlotView {
        SlotView { name: name.to_owned(), is_active, wal_status: wal_status.to_owned(), held_bytes }
    }

    #[test]
    fn slots_are_told_by_who_reads_them_and_whether_their_wal_stays() {
        let slots = vec![
            slot("idle", "extended", false, 5 << 30),
            slot("ending", "unreserved", true, 1 << 20),
            slot("gone", "lost", false, 0),
            // Read, young, and one that holds nothing.
            slot("active", "extended", true, 50 << 30),
            slot("young", "reserved", false, 1 << 30),
            slot("empty", "", false, 0),
        ];
        check(
            &DatabaseFacts { slots, ..DatabaseFacts::default() },
            &[
                "Critical idle-slot slot ending: 1048576 bytes of WAL are kept for it; its WAL goes with the next checkpoint",
                "Warning idle-slot slot idle: 5368709120 bytes of WAL are kept for it",
                "Warning lost-slot slot gone: the WAL it needs is gone",
            ],
        );
    }

    #[test]
    fn ages_replicas_and_checksums_are_told_from_a_limit_on() {
        let ages = vec![
            ("old".to_owned(), 1_000_000_000, 999_999_999),
            ("shared".to_owned(), 5, 1_000_000_000),
            ("Dying".to_owned(), 5, 1_600_000_000),
            ("young".to_owned(), 999_999_999, 0),
        ];
        let replicas = vec![
            ("slow".to_owned(), Some(4 << 30)),
            ("quick".to_owned(), Some((4 << 30) - 1)),
            ("unseen".to_owned(), None),
        ];
        let checksum_failures = vec![("app".to_owned(), 3)];
        check(
            &DatabaseFacts { ages, replicas, checksum_failures, ..DatabaseFacts::default() },
            &[
                "Critical old-multixacts database \"Dying\": its oldest is 1600000000 old",
                "Critical checksum-failures database app: 3 pages failed",
                "Warning old-transactions database old: its oldest is 1000000000 old",
                "Warning old-multixacts database shared: its oldest is 1000000000 old",
                "Warning replica-behind slow: 4294967296 bytes behind",
            ],
        );
    }
}
