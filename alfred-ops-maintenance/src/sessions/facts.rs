//! What a look at the sessions finds.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What a look finds.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionFacts {
    /// When it was looked, by the host's clock. Ages are as of then.
    pub looked_at: DateTime<Utc>,
    /// What the role lacks, with its remedy.
    pub missing: Option<String>,
    /// Connections that the server allows to all but superusers.
    pub connections_max: u64,
    /// All sessions.
    pub sessions: Vec<SessionView>,
}

/// What a session does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionState {
    /// It runs a statement, or waits within one.
    #[default]
    Active,
    /// It waits for its client, outside of a transaction.
    Idle,
    /// It waits for its client within a transaction.
    IdleInTransaction,
}

/// What is known of a session. Ages are by the database's clock.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionView {
    /// Its process.
    pub pid: i32,
    /// When it began: with the process it says which session it is.
    pub began_at: DateTime<Utc>,
    /// When its transaction began: with it, which of its transactions.
    pub transaction_at: Option<DateTime<Utc>>,
    /// As whom.
    pub role: String,
    /// What it calls itself.
    pub application: String,
    /// Whether it is a client's. Replication and the server's own processes are not.
    pub is_client: bool,
    /// Whether a superuser's: others may not end it.
    pub is_superuser: bool,
    /// Whether it vacuums, analyzes, copies, builds an index, clusters or takes a backup.
    pub is_maintenance: bool,
    /// Whether its last statement was a LISTEN, or it holds an advisory lock: idle as it is, it waits for something, or others
    /// rely on it.
    pub is_relied_on: bool,
    /// What it does,
    pub state: SessionState,
    /// for so long,
    pub state_for: Duration,
    /// and since when, by the database's clock: a session that has done something since has another.
    pub state_at: Option<DateTime<Utc>>,
    /// For how long it has waited for a lock, if it does.
    pub waits_for: Option<Duration>,
    /// Whom it waits for; 0 stands for a prepared transaction.
    pub blocked_by: Vec<i32>,
}
