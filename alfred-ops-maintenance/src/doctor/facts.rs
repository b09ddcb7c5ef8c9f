//! What a look at a database finds.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{DatabaseFault, ForeignKeyView, IndexSize, IndexTrial, SequenceView, StatementView, TableView};
use crate::{HorizonHolder, IndexFacts, SessionFacts};

/// What a look at a database finds. What nobody could see is empty, and [`DatabaseFacts::gaps`] says so.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct DatabaseFacts {
    /// The database.
    pub database: String,
    /// The role that looked.
    pub role: String,
    /// The server's major version.
    pub version: u32,
    /// When it looked, by the server's clock.
    pub at: DateTime<Utc>,
    /// Whether the server is a standby.
    pub is_standby: bool,
    /// What was not seen.
    pub gaps: Vec<Gap>,
    /// The indexes.
    pub indexes: IndexFacts,
    /// How large the larger indexes are, and would be.
    pub index_sizes: Vec<IndexSize>,
    /// Tables, largest first.
    pub tables: Vec<TableView>,
    /// Statements that were called most, of `pg_stat_statements`. None where it is not there.
    pub statements: Option<Vec<StatementView>>,
    /// What the planner would make of indexes that these statements lack, where the extension `hypopg` lets one ask.
    pub trials: Vec<IndexTrial>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKeyView>,
    /// Sequences.
    pub sequences: Vec<SequenceView>,
    /// Sessions.
    pub sessions: SessionFacts,
    /// Who may have so many connections and has so many: the server's databases and roles that are limited.
    pub limits: Vec<ConnectionLimit>,
    /// Prepared transactions.
    pub prepared: Vec<PreparedView>,
    /// Replication slots.
    pub slots: Vec<SlotView>,
    /// Replicas and how many bytes they are behind; none where that cannot be seen.
    pub replicas: Vec<(String, Option<u64>)>,
    /// Who keeps dead rows from being removed.
    pub holders: Vec<HorizonHolder>,
    /// The ages of the oldest transaction and multixact of each database of the server.
    pub ages: Vec<(String, u64, u64)>,
    /// Settings that matter, and what they are.
    pub settings: Vec<SettingView>,
    /// The archiver, unless it is off.
    pub archiver: Option<ArchiverView>,
    /// Pages with wrong checksums, by database.
    pub checksum_failures: Vec<(String, u64)>,
    /// What the catalogue by itself says is wrong.
    pub oddities: Vec<Oddity>,
}

/// What was not seen, and what would show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// What was not seen.
    pub what: String,
    /// What would show it.
    pub remedy: String,
    /// Whether another look may see it as it stands: the server was too busy, or something vanished between two questions.
    pub is_passing: bool,
}

impl Gap {
    /// Something that was not seen, and what would show it.
    #[must_use]
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), is_passing: false }
    }

    /// Something that was not seen this time, and may be by another look.
    #[must_use]
    pub fn passing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { is_passing: true, ..Self::new(what, remedy) }
    }
}

/// `Display` is one line.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not seen: {}; {}", self.what, self.remedy)
    }
}

/// What the catalogue by itself says is wrong: no figure has to be weighed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Oddity {
    /// What.
    pub fault: DatabaseFault,
    /// Which object, as SQL has it.
    pub place: String,
    /// What is odd about it.
    pub detail: String,
    /// The statement that mends it and may be run as it stands; none where a person has to decide, by `advice`.
    pub statement: Option<String>,
    /// What to do where no statement can be given.
    pub advice: String,
}

/// A limit of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimit {
    /// Of what, as `role x`.
    pub place: String,
    /// So many are in use,
    pub used: u64,
    /// and so many allowed.
    pub allowed: u64,
}

impl ConnectionLimit {
    /// A limit.
    #[must_use]
    pub fn new(place: impl Into<String>, used: u64, allowed: u64) -> Self {
        Self { place: place.into(), used, allowed }
    }
}

/// A prepared transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreparedView {
    /// Its name.
    pub name: String,
    /// For how long it has been prepared.
    pub age: Duration,
    /// Whose it is.
    pub owner: String,
}

/// A replication slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotView {
    /// Its name.
    pub name: String,
    /// Whether somebody reads it now.
    pub is_active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`; empty if it holds nothing.
    pub wal_status: String,
    /// So much WAL is kept for it.
    pub held_bytes: u64,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingView {
    /// Its name.
    pub name: String,
    /// Its value: of the server, or what `scope` gets.
    pub value: String,
    /// Empty for the server, else `database x`, `role x` or both.
    pub scope: String,
    /// Whether the configuration says something else, which a restart would bring.
    pub is_pending: bool,
}

/// How archiving goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiverView {
    /// Failures since they are counted.
    pub failures: u64,
    /// When it last failed.
    pub failed_at: Option<DateTime<Utc>>,
    /// When it last succeeded.
    pub archived_at: Option<DateTime<Utc>>,
    /// What failed last.
    pub failed_file: String,
}
