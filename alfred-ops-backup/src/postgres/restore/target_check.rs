//! Whether a target can be reached, before anything is written.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};
use chrono::SecondsFormat;

use crate::RecoveryTarget;
use crate::postgres::facts::ClusterFacts;
use crate::postgres::wal::{WalSummary, WalTarget};

/// What must be looked for in the log itself.
pub(super) fn to_look_for(target: &RecoveryTarget) -> Option<WalTarget> {
    match target {
        RecoveryTarget::Time(time) => Some(WalTarget::Time(*time)),
        RecoveryTarget::Xid(xid) => Some(WalTarget::Xid(*xid)),
        RecoveryTarget::Name(name) => Some(WalTarget::Name(name.clone())),
        _ => None,
    }
}

/// Refuses a target that the log, all of it read, does not hold, or holds only before the backup's end.
pub(super) fn found(target: &WalTarget, facts: &ClusterFacts, log: &WalSummary) -> Result<()> {
    let missing = |what: String, remedy: String| {
        Err(Error::new(ErrorKind::NotFound, "restore", what).with_remedy(remedy))
    };
    let last_commit = log
        .last_commit_at
        .map_or("there is none".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Micros, true));
    match (log.stop, target) {
        (Some(stop), _) if stop >= facts.end => Ok(()),
        (Some(stop), _) => Err(too_early(&stop.to_string(), &facts.end.to_string())),
        (None, WalTarget::Time(time)) => missing(
            format!("no transaction ended after {} in the stored log", time.to_rfc3339()),
            format!("the last commit is at {last_commit}: choose an earlier time, or the end of the log"),
        ),
        (None, WalTarget::Xid(xid)) => missing(
            format!("transaction {xid} does not end in the stored log"),
            format!("the last commit is at {last_commit}: choose a transaction before, or an earlier backup"),
        ),
        (None, WalTarget::Name(name)) => {
            let known: Vec<&str> = log.restore_points.iter().map(|(name, _)| name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            missing(
                format!("there is no restore point {name:?} in the stored log"),
                format!("since the backup there are: {known}"),
            )
        }
    }
}

/// Refuses a target that lies before the backup or after the stored WAL, as far as that can be told
/// without reading WAL.
pub(super) fn reachable(target: &RecoveryTarget, facts: &ClusterFacts, stored_until: Lsn) -> Result<()> {
    if stored_until < facts.end {
        return Err(Error::new(
            ErrorKind::NotFound,
            "restore",
            format!("WAL is stored until {stored_until}, the backup needs it until {}", facts.end),
        )
        .with_remedy("restore an older backup"));
    }
    match target {
        RecoveryTarget::Lsn(lsn) if *lsn > stored_until => Err(Error::new(
            ErrorKind::NotFound,
            "restore",
            format!("the target {lsn} lies behind the stored WAL, which ends at {stored_until}"),
        )
        .with_remedy("choose an earlier target, or wait until the archiver has stored more")),
        RecoveryTarget::Lsn(lsn) if *lsn < facts.end => {
            Err(too_early(&lsn.to_string(), &facts.end.to_string()))
        }
        RecoveryTarget::Name(name) if name.is_empty() || name.len() >= 64 => Err(Error::new(
            ErrorKind::InvalidInput,
            "restore",
            format!("{name:?} is no name of a restore point (1 to 63 bytes)"),
        )),
        _ => Ok(()),
    }
}

fn too_early(target: &str, backup: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "restore",
        format!("the target {target} lies before the backup ({backup})"),
    )
    .with_remedy("choose a backup that ended before the target")
}
