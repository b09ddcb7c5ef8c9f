//! The settings that make Postgres replay to a target.

use crate::RecoveryTarget;

/// How far Postgres replays.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    pub(super) target: RecoveryTarget,
    /// The timeline, where it is not the backup's own.
    pub(super) timeline: Option<u32>,
    /// How Postgres gets WAL that does not lie in place.
    pub(super) log_command: Option<String>,
}

/// The text of `postgresql.auto.conf`: what was there, without recovery settings of an earlier restore,
/// and ours.
pub(super) fn merge(before: &str, goal: &Goal) -> String {
    let stale = |line: &str| {
        let name = line.split(['=', ' ']).next().unwrap_or_default().trim();
        name.starts_with("recovery_target") || name == "restore_command"
    };
    let mut text: String = before.lines().filter(|line| !stale(line)).flat_map(|line| [line, "\n"]).collect();
    let mut set = |name: &str, value: &str| {
        text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
    };
    // Postgres demands a command even where all WAL lies in pg_wal.
    set("restore_command", goal.log_command.as_deref().unwrap_or("false"));
    let timeline = goal.timeline.map_or("current".to_owned(), |timeline| timeline.to_string());
    set("recovery_target_timeline", &timeline);
    set("recovery_target_action", "promote");
    match &goal.target {
        // For the earliest moment WAL is placed only as far as the backup needs it. Postgres' own setting
        // `immediate` looks for a record behind that and fails where there is none.
        RecoveryTarget::Latest | RecoveryTarget::Immediate => {}
        RecoveryTarget::Name(name) => set("recovery_target_name", name),
        RecoveryTarget::Xid(xid) => set("recovery_target_xid", &xid.to_string()),
        RecoveryTarget::Lsn(lsn) => set("recovery_target_lsn", &lsn.to_string()),
        RecoveryTarget::Time(time) => {
            set("recovery_target_time", &time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::Lsn;
    use chrono::DateTime;

    use super::*;

    fn goal(target: RecoveryTarget) -> Goal {
        Goal { target, timeline: None, log_command: None }
    }

    #[test]
    fn an_earlier_restore_leaves_no_second_target() {
        let first = merge("# keep\nwork_mem = '8MB'\n", &goal(RecoveryTarget::Name("it's".to_owned())));
        assert!(
            first.contains("work_mem = '8MB'\n") && first.contains("recovery_target_name = 'it''s'\n"),
            "{first}"
        );
        let second = merge(&first, &goal(RecoveryTarget::Lsn(Lsn(0x1_0000_0010))));
        assert!(!second.contains("recovery_target_name"), "{second}");
        assert!(second.contains("recovery_target_lsn = '1/10'\n"), "{second}");
        assert_eq!(second.matches("restore_command").count(), 1);
        let time = DateTime::from_timestamp(1_800_000_000, 5_000).unwrap();
        assert!(merge("", &goal(RecoveryTarget::Time(time))).contains("'2027-01-15 08:00:00.000005+00'"));
    }
}
