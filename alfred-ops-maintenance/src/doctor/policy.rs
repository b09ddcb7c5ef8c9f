//! What is too much.

use std::time::Duration;

use super::{DatabaseFault, DatabaseFinding};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 3600;

/// What is too much, and what is known and meant.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DoctorPolicy {
    /// Tables and indexes below this size are not judged by how they are read: any way is quick.
    pub bytes_min: u64,
    /// A table or an index is bloated when it wastes this share of itself,
    pub bloat_share: f64,
    /// and at least so many bytes.
    pub bloat_bytes_min: u64,
    /// Bloat that is only estimated is measured by the extension `pgstattuple`, if it is there, where this much would have
    /// to be read at most. Nothing is measured at zero.
    pub measure_bytes_max: u64,
    /// An index that nobody scanned for so long is unused.
    pub unused_after: Duration,
    /// Fewer scans of a whole table, or calls of a statement, are chance.
    pub scans_min: u64,
    /// A sequence that has used this share of its values is near its end.
    pub sequence_share: f64,
    /// A database whose oldest row is so many transactions, or multixacts, old is in danger: at 2,000 million writes end.
    pub age_max: u64,
    /// Autovacuum is behind when there are so many times more dead rows than it begins at.
    pub vacuum_factor: f64,
    /// Who holds the horizon back by so many transactions is told.
    pub horizon_age_max: u64,
    /// The share of allowed connections that may be in use.
    pub connections_share: f64,
    /// Nobody has to wait longer for somebody else's lock.
    pub blocks_max: Duration,
    /// No transaction does nothing for longer.
    pub idle_in_transaction_max: Duration,
    /// No transaction lasts longer, prepared ones neither.
    pub transaction_max: Duration,
    /// An idle replication slot may hold so much WAL, and a replica be so far behind.
    pub wal_bytes_max: u64,
    /// A password that ends within this time is told of.
    pub password_notice: Duration,
    /// What is known and meant: a fault, and the place it is accepted at.
    pub accepted: Vec<(DatabaseFault, String)>,
}

impl Default for DoctorPolicy {
    /// Small things are left alone (8 MiB, 64 MiB of bloat); half of something wasted is too much; a month without a scan,
    /// a thousand scans; three quarters of a sequence, half of the transaction ids, 80 % of the connections; a minute of
    /// blocking, five of idling, an hour of a transaction; 4 GiB of WAL.
    fn default() -> Self {
        Self {
            bytes_min: 8 << 20,
            bloat_share: 0.5,
            bloat_bytes_min: 64 << 20,
            measure_bytes_max: 1 << 30,
            unused_after: Duration::from_secs(30 * DAY),
            scans_min: 1_000,
            sequence_share: 0.75,
            age_max: 1_000_000_000,
            vacuum_factor: 3.0,
            horizon_age_max: 10_000_000,
            connections_share: 0.8,
            blocks_max: Duration::from_secs(MINUTE),
            idle_in_transaction_max: Duration::from_secs(5 * MINUTE),
            transaction_max: Duration::from_secs(60 * MINUTE),
            wal_bytes_max: 4 << 30,
            password_notice: Duration::from_secs(14 * DAY),
            accepted: Vec::new(),
        }
    }
}

impl DoctorPolicy {
    /// Accepts a fault at a place, as [`DatabaseFinding::place`] has it.
    #[must_use]
    pub fn with_accepted(mut self, fault: DatabaseFault, place: impl Into<String>) -> Self {
        self.accepted.push((fault, place.into()));
        self
    }

    pub(super) fn accepts(&self, finding: &DatabaseFinding) -> bool {
        self.accepted.iter().any(|(fault, place)| *fault == finding.fault && *place == finding.place)
    }
}
