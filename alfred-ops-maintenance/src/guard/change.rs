//! What is done under guard.

use std::fmt;
use std::future::Future;

use alfred_ops_core::Result;
use futures::future::BoxFuture;
use sqlx::PgConnection;

use crate::MigrationRunner;

type Within = dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<()>> + Send + Sync;
type Work = dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync;

/// What is done under guard.
///
/// The cheapest to undo is what runs in one transaction, [`sql`](Self::sql) and [`within`](Self::within): the checks run inside
/// too, and nobody sees anything before they have passed.
pub struct Change {
    pub(super) name: String,
    pub(super) kind: ChangeKind,
}

pub(super) enum ChangeKind {
    Sql(String),
    Within(Box<Within>),
    Migrations(Box<MigrationRunner>),
    Work(Box<Work>),
}

impl Change {
    /// Statements in one transaction. They must not end it.
    #[must_use]
    pub fn sql(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), kind: ChangeKind::Sql(text.into()) }
    }

    /// Work on a connection that is within one transaction, which it must not end. It may be called again after it gave way
    /// to somebody who held a lock.
    #[must_use]
    pub fn within<F>(name: impl Into<String>, work: F) -> Self
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<()>> + Send + Sync + 'static,
    {
        Self { name: name.into(), kind: ChangeKind::Within(Box::new(work)) }
    }

    /// Migrations, each in its own transaction or in none. Down migrations that the migrator holds are the way back.
    #[must_use]
    pub fn migrations(name: impl Into<String>, runner: MigrationRunner) -> Self {
        Self { name: name.into(), kind: ChangeKind::Migrations(Box::new(runner)) }
    }

    /// Anything: a deployment, a script, a call. It is called once.
    ///
    /// The server goes on with a statement whose client is gone. So before work that failed is judged, and after its host has
    /// died, the guard waits for the sessions that write to protected tables at that moment
    /// ([`settling_within`](crate::GuardBuilder::settling_within)), and ends with an error if they go on. What it cannot see:
    /// tables that are not protected, and statements that reach the server later, from a process that the work has started or
    /// a network that is slow. Work whose sessions set `client_connection_check_interval` and `statement_timeout` leaves less.
    #[must_use]
    pub fn work<F, W>(name: impl Into<String>, work: F) -> Self
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = Result<()>> + Send + 'static,
    {
        Self { name: name.into(), kind: ChangeKind::Work(Box::new(move || Box::pin(work()))) }
    }

    /// What it is called in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn in_transaction(&self) -> bool {
        matches!(self.kind, ChangeKind::Sql(_) | ChangeKind::Within(_))
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChangeKind::Sql(_) => "sql",
            ChangeKind::Within(_) => "within",
            ChangeKind::Migrations(_) => "migrations",
            ChangeKind::Work(_) => "work",
        };
        f.debug_struct("Change").field("name", &self.name).field("kind", &kind).finish()
    }
}
