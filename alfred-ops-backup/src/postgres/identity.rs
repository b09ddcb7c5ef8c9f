//! Which server this is and what it allows.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};

use super::dialect::Dialect;
use super::wire::Connection;

/// The oldest server whose backup commands this crate speaks.
const OLDEST_VERSION: u32 = 130_000;

/// What a look at a server found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresProbe {
    /// The server's version, as `server_version_num`: 150018 is 15.18.
    pub version: u32,
    /// The cluster's system identifier.
    pub system_id: String,
    /// The timeline that it writes.
    pub timeline: u32,
    /// How far it had flushed its WAL.
    pub flushed: Lsn,
    /// Bytes of a WAL segment.
    pub segment_bytes: u64,
    /// Whether its pages carry checksums.
    pub data_checksums: bool,
    /// Whether it records what changes, so that it can send only that (`summarize_wal`, from 17 on).
    pub summarizes_wal: bool,
}

impl PostgresProbe {
    /// Asks a server that let us in, and refuses one that cannot be backed up.
    pub(super) async fn ask(connection: &mut Connection) -> Result<Self> {
        let version = connection.query_value("SHOW server_version_num").await?;
        let version: u32 =
            version.parse().map_err(|_| connection.unexpected(&format!("version {version:?}")))?;
        if version < OLDEST_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "probe Postgres",
                format!("its version is {version}"),
            )
            .with_target(connection.target())
            .with_remedy("upgrade the server to Postgres 13 or newer"));
        }
        let wal_level = connection.query_value("SHOW wal_level").await?;
        if wal_level == "minimal" {
            return Err(Error::new(ErrorKind::Unsupported, "probe Postgres", "wal_level is minimal")
                .with_target(connection.target())
                .with_remedy("set wal_level = replica in postgresql.conf and restart the server"));
        }
        let segment = connection.query_value("SHOW wal_segment_size").await?;
        let segment_bytes = bytes_of(&segment)
            .ok_or_else(|| connection.unexpected(&format!("wal_segment_size {segment:?}")))?;
        let data_checksums = connection.query_value("SHOW data_checksums").await? == "on";
        let summarizes_wal =
            version >= 170_000 && connection.query_value("SHOW summarize_wal").await? == "on";
        let identity = connection.query("IDENTIFY_SYSTEM").await?;
        let read = || {
            let mut columns = identity.into_iter().next()?.into_iter();
            let system_id = columns.next()??;
            let timeline = columns.next()??.parse().ok()?;
            let flushed = columns.next()??.parse().ok()?;
            Some((system_id, timeline, flushed))
        };
        let (system_id, timeline, flushed) = read()
            .ok_or_else(|| connection.unexpected("an answer to IDENTIFY_SYSTEM without its three columns"))?;
        Ok(Self { version, system_id, timeline, flushed, segment_bytes, data_checksums, summarizes_wal })
    }

    /// The words that it wants to be asked in.
    pub(super) const fn dialect(&self) -> Dialect {
        Dialect::of(self.version)
    }
}

/// A size as `SHOW` prints it, such as `16MB`.
pub(super) fn bytes_of(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let shift = match &text[digits..] {
        "" | "B" => 0,
        "kB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    number.checked_shl(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_postgres_prints_them() {
        assert_eq!(bytes_of("16MB"), Some(16 << 20));
        assert_eq!(bytes_of("1GB"), Some(1 << 30));
        assert_eq!(bytes_of("sixteen"), None);
    }
}
