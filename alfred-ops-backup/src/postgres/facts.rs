//! What a backup's record says of the cluster it holds.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};
use serde::{Deserialize, Serialize};

/// What a backup's record says of the cluster it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClusterFacts {
    pub(super) version: u32,
    pub(super) system_id: String,
    pub(super) timeline: u32,
    pub(super) segment_bytes: u64,
    pub(super) data_checksums: bool,
    /// Replay begins here.
    pub(super) start: Lsn,
    /// The cluster is consistent from here on.
    pub(super) end: Lsn,
    /// Where each tablespace other than the main one lay, by its oid.
    pub(super) tablespaces: BTreeMap<String, String>,
}

impl ClusterFacts {
    pub(super) fn read(value: &serde_json::Value) -> Result<Self> {
        let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, "read backup record", what);
        let facts: Self = serde::Deserialize::deserialize(value)
            .map_err(|source| corrupt("its facts are not those of a Postgres backup").with_source(source))?;
        if !facts.segment_bytes.is_power_of_two() || !(1 << 20..=1 << 30).contains(&facts.segment_bytes) {
            return Err(corrupt(&format!("{} is no size of a WAL segment", facts.segment_bytes)));
        }
        Ok(facts)
    }

    /// The name of the file in which `timeline` wrote the WAL segment that holds `position`.
    pub(super) fn segment_name(&self, timeline: u32, position: u64) -> String {
        let number = position / self.segment_bytes;
        let per_name = (1 << 32) / self.segment_bytes;
        format!("{timeline:08X}{:08X}{:08X}", number / per_name, number % per_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_named_as_postgres_names_them() {
        let facts = ClusterFacts {
            version: 150_018,
            system_id: "1".to_owned(),
            timeline: 2,
            segment_bytes: 16 << 20,
            data_checksums: true,
            start: Lsn(0),
            end: Lsn(0),
            tablespaces: BTreeMap::new(),
        };
        // SELECT pg_walfile_name('16/B374D848') on timeline 2.
        assert_eq!(facts.segment_name(2, 0x16_b374_d848), "0000000200000016000000B3");
    }
}
