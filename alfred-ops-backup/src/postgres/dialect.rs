//! What servers of different ages want to be told in different words.

/// The words of a walsender. They changed with Postgres 15, and the way that a base backup is sent changed with
/// them ([`Transfer`](super::transfer::Transfer)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// 13 and 14: keywords in a fixed order, a COPY for each archive, no word for reading a slot.
    Keywords,
    /// 15 and newer: options in parentheses, one COPY for everything.
    Options,
}

impl Dialect {
    /// What a server of this version (`server_version_num`) speaks.
    pub(super) const fn of(version: u32) -> Self {
        if version < 150_000 { Self::Keywords } else { Self::Options }
    }

    /// The command for a base backup, or for what has changed since the manifest that was uploaded, which is
    /// only known from 17 on. With `verified`, the server checks the checksums of the pages that it reads.
    pub(super) fn base_backup(self, incremental: bool, verified: bool) -> String {
        match self {
            // What is not named is off: WAL and waiting for an archive by default, the rest by its absence.
            Self::Keywords => {
                let verified = if verified { "" } else { "NOVERIFY_CHECKSUMS " };
                format!(
                    "BASE_BACKUP LABEL 'alfred-ops' PROGRESS FAST NOWAIT {verified}MANIFEST 'yes' \
                     MANIFEST_CHECKSUMS 'CRC32C'"
                )
            }
            Self::Options => {
                let incremental = if incremental { ", INCREMENTAL" } else { "" };
                format!(
                    "BASE_BACKUP (LABEL 'alfred-ops', TARGET 'client', PROGRESS true, CHECKPOINT 'fast', \
                     WAL false, WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', \
                     VERIFY_CHECKSUMS {verified}{incremental})"
                )
            }
        }
    }

    /// The command for a slot that keeps WAL from now on.
    pub(super) fn create_slot(self, name: &str, temporary: bool) -> String {
        let temporary = if temporary { "TEMPORARY " } else { "" };
        let reserve = match self {
            Self::Keywords => "RESERVE_WAL",
            Self::Options => "(RESERVE_WAL)",
        };
        format!("CREATE_REPLICATION_SLOT {name} {temporary}PHYSICAL {reserve}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_came_with_15() {
        for (version, wanted) in [(130_023, "s PHYSICAL RESERVE_WAL"), (150_000, "s PHYSICAL (RESERVE_WAL)")]
        {
            assert!(Dialect::of(version).create_slot("s", false).ends_with(wanted));
        }
        assert_eq!(Dialect::of(149_999), Dialect::Keywords);
        assert!(!Dialect::Keywords.base_backup(false, false).contains('('));
        assert!(Dialect::Options.base_backup(true, true).contains("true, INCREMENTAL)"));
    }
}
