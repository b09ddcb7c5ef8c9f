//! How WAL is archived.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

/// How WAL is archived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalArchiveOptions {
    /// The physical replication slot, made on first use. One archiver for each slot.
    pub slot: String,
    /// WAL waits for company at most so long before it is stored: the bound of what a disaster can take,
    /// apart from the store's own delay.
    pub seal_after: Duration,
    /// So many bytes of WAL are stored at once (at most 4 MiB).
    pub seal_bytes: usize,
    /// Whether commits wait for the archive: see [`synchronous`](Self::synchronous).
    pub synchronous: bool,
    /// So many bytes written by the server and not stored ring the alarm: what the slot then keeps on the
    /// server's disk. Without a value, half of the server's `max_slot_wal_keep_size` or else 1 GiB.
    pub lag_alarm_bytes: Option<u64>,
}

impl WalArchiveOptions {
    /// Archiving through `slot`, sealed every 5 s or 1 MiB.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name that Postgres does not allow.
    pub fn new(slot: impl Into<String>) -> Result<Self> {
        let slot = slot.into();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if slot.is_empty() || slot.len() > 63 || !slot.bytes().all(allowed) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "name replication slot",
                format!("{slot:?} is no slot name"),
            )
            .with_remedy("use 1 to 63 lower-case letters, digits and underscores"));
        }
        Ok(Self {
            slot,
            seal_after: Duration::from_secs(5),
            seal_bytes: 1 << 20,
            synchronous: false,
            lag_alarm_bytes: None,
        })
    }

    /// Another bound in time.
    #[must_use]
    pub fn with_seal_after(mut self, seal_after: Duration) -> Self {
        self.seal_after = seal_after;
        self
    }

    /// Makes the archive a synchronous standby under the slot's name, so that no disaster takes a transaction
    /// that was acknowledged: WAL is stored whenever no other is on its way, at whatever age and size.
    ///
    /// Start the archiver, then have the server wait for it: `ALTER SYSTEM SET synchronous_standby_names =
    /// 'SLOT'; SELECT pg_reload_conf()`. From then on every commit takes as long as the store
    /// ([`WalStatus::confirmed_p99`](crate::WalStatus::confirmed_p99)), and while nobody archives no commit
    /// returns: until the setting is taken back, or for those sessions that `SET synchronous_commit = local`.
    #[must_use]
    pub fn synchronous(mut self) -> Self {
        self.synchronous = true;
        self
    }

    /// Another bound of the lag alarm.
    #[must_use]
    pub fn with_lag_alarm_bytes(mut self, bytes: u64) -> Self {
        self.lag_alarm_bytes = Some(bytes);
        self
    }

    /// Another bound in bytes.
    #[must_use]
    pub fn with_seal_bytes(mut self, seal_bytes: usize) -> Self {
        self.seal_bytes = seal_bytes;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_names_are_checked_before_they_reach_a_command() {
        assert!(WalArchiveOptions::new("alfred_ops_1").is_ok());
        for bad in ["", "Alfred", "a b", "x; DROP", "ä"] {
            let error = WalArchiveOptions::new(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
