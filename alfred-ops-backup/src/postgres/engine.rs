//! How a backup reads a cluster.

use super::PostgresProbe;
use super::facts::ClusterFacts;
use crate::BackupMode;

/// The first version whose server can tell what has changed.
const INCREMENTAL_VERSION: u32 = 170_000;

/// How a backup reads a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Engine {
    /// The server sends every file.
    Everything {
        /// Why, where less was asked for.
        note: Option<String>,
    },
    /// The server sends what has changed since an earlier backup.
    Changes,
}

/// Chooses, given what the server is and the backup that can be built on.
pub(super) fn choose(mode: BackupMode, probe: &PostgresProbe, base: Option<&ClusterFacts>) -> Engine {
    let because = |reason: &str| Engine::Everything { note: Some(format!("everything was read: {reason}")) };
    match (mode, base) {
        (BackupMode::Full, _) => Engine::Everything { note: None },
        (BackupMode::Incremental, None) => because("there is no earlier backup of this cluster"),
        (BackupMode::Incremental, Some(_)) if probe.version < INCREMENTAL_VERSION => because(&format!(
            "Postgres {} cannot tell what has changed (17 and newer can); only what differs was stored",
            probe.version / 10_000
        )),
        (BackupMode::Incremental, Some(_)) if !probe.summarizes_wal => because(
            "the server does not record what changes; set summarize_wal = on and reload it; only what differs \
             was stored",
        ),
        (BackupMode::Incremental, Some(base)) if base.timeline > probe.timeline => because(&format!(
            "the earlier backup is of timeline {}, the server is on {}",
            base.timeline, probe.timeline
        )),
        (BackupMode::Incremental, Some(_)) => Engine::Changes,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alfred_ops_core::Lsn;

    use super::*;

    #[test]
    fn every_fallback_says_why() {
        let probe = |version, summarizes_wal| PostgresProbe {
            version,
            system_id: "7".to_owned(),
            timeline: 2,
            flushed: Lsn(0),
            segment_bytes: 16 << 20,
            data_checksums: true,
            summarizes_wal,
        };
        let base = |timeline| ClusterFacts {
            version: 170_010,
            system_id: "7".to_owned(),
            timeline,
            segment_bytes: 16 << 20,
            data_checksums: true,
            start: Lsn(0),
            end: Lsn(0),
            tablespaces: BTreeMap::new(),
        };
        let incremental = BackupMode::Incremental;
        for (version, summarizes, base, wanted) in [
            (170_010, true, None, "no earlier backup"),
            (150_018, false, Some(base(2)), "Postgres 15 cannot tell"),
            (170_010, false, Some(base(2)), "set summarize_wal = on"),
            (170_010, true, Some(base(3)), "timeline 3"),
        ] {
            let Engine::Everything { note: Some(note) } =
                choose(incremental, &probe(version, summarizes), base.as_ref())
            else {
                panic!("{wanted}")
            };
            assert!(note.contains(wanted), "{note}");
        }
        assert_eq!(choose(incremental, &probe(170_010, true), Some(&base(1))), Engine::Changes);
        let full = choose(BackupMode::Full, &probe(170_010, true), Some(&base(2)));
        assert_eq!(full, Engine::Everything { note: None });
    }
}
