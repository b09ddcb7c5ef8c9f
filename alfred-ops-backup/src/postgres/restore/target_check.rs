//! Whether a target can be reached, before anything is written.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};

use crate::postgres::facts::ClusterFacts;
use crate::{BackupRecord, RecoveryTarget};

/// Refuses a target that lies before the backup or after the stored WAL, as far as that can be told
/// without reading WAL.
pub(super) fn reachable(
    target: &RecoveryTarget,
    record: &BackupRecord,
    facts: &ClusterFacts,
    stored_until: u64,
) -> Result<()> {
    if stored_until < facts.end.0 {
        return Err(Error::new(
            ErrorKind::NotFound,
            "restore",
            format!("WAL is stored until {}, the backup needs it until {}", Lsn(stored_until), facts.end),
        )
        .with_remedy("restore an older backup"));
    }
    match target {
        RecoveryTarget::Lsn(lsn) if lsn.0 > stored_until => Err(Error::new(
            ErrorKind::NotFound,
            "restore",
            format!("the target {lsn} lies behind the stored WAL, which ends at {}", Lsn(stored_until)),
        )
        .with_remedy("choose an earlier target, or wait until the archiver has stored more")),
        RecoveryTarget::Lsn(lsn) if *lsn < facts.end => {
            Err(too_early(&lsn.to_string(), &facts.end.to_string()))
        }
        RecoveryTarget::Time(time) if *time < record.started_at => {
            Err(too_early(&time.to_rfc3339(), &record.started_at.to_rfc3339()))
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
