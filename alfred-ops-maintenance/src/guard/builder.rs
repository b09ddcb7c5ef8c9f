//! How a guard is set up.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{Repository, WalArchiver};
use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result, StateStore};
use futures::future::BoxFuture;
use sqlx::PgConnection;

use super::archive::{Archive, DURABLE_WITHIN};
use super::check::Check;
use super::down::Down;
use super::guard::{Guard, PointInTime};
use super::writers::SETTLING_WITHIN;
use super::{NAME_BYTES_MAX, SideServer, Watch};
use crate::{Gate, TableName};

/// What a statement of a change waits for a lock before it gives way.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const RETRIES_MAX: u32 = 60;

/// Sets a [`Guard`] up.
#[derive(Debug)]
pub struct GuardBuilder {
    guard: Guard,
    chosen: bool,
}

impl GuardBuilder {
    pub(super) fn new(server: PostgresOptions, store: Arc<dyn StateStore>) -> Self {
        let guard = Guard {
            server: server.with_application_name("alfred-ops guard"),
            store,
            point_in_time: PointInTime::Without,
            label: "before-change".to_owned(),
            protected: Vec::new(),
            checks: Vec::new(),
            down: Down::None,
            side: None,
            copies_back: false,
            watch: None,
            gates: Vec::new(),
            lock_timeout: LOCK_TIMEOUT,
            retries_max: RETRIES_MAX,
            durable_within: DURABLE_WITHIN,
            settling_within: SETTLING_WITHIN,
        };
        Self { guard, chosen: false }
    }

    /// The repository with the server's backups, and the archiver of its log, whether that runs in this process or not. No
    /// change begins before its restore point is durable there.
    #[must_use]
    pub fn archive(mut self, repository: Repository, archiver: Arc<WalArchiver>) -> Self {
        self.guard.point_in_time = PointInTime::Archive(Archive { repository, archiver });
        self.chosen = true;
        self
    }

    /// Guards by transactions and ways down alone: what those do not bring back is lost.
    #[must_use]
    pub fn without_point_in_time(mut self) -> Self {
        self.guard.point_in_time = PointInTime::Without;
        self.chosen = true;
        self
    }

    /// Names the restore point, in at most 54 bytes; digits are added that make it unique.
    #[must_use]
    pub fn restore_point(mut self, name: impl Into<String>) -> Self {
        self.guard.label = name.into();
        self
    }

    /// Compares a table's rows before and after going back, and lets them be copied back. It is read as a whole before the
    /// change. Nobody else should write to it meanwhile: what others write counts as not brought back. Parents come before
    /// the tables that refer to them.
    #[must_use]
    pub fn protect(mut self, table: TableName) -> Self {
        self.guard.protected.push((table, false));
        self
    }

    /// As [`protect`](Self::protect), and rows that did not exist at the restore point are removed when it is copied back, those
    /// of the tables that refer to others first.
    #[must_use]
    pub fn protect_exactly(mut self, table: TableName) -> Self {
        self.guard.protected.push((table, true));
        self
    }

    /// What must be true after the change: `None`, or what is wrong. It only reads; where the change runs in a transaction
    /// it is asked within. An error counts as wrong.
    #[must_use]
    pub fn verify<F>(mut self, name: impl Into<String>, ask: F) -> Self
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<Option<String>>> + Send + Sync + 'static,
    {
        self.guard.checks.push(Check::host(name, ask));
        self
    }

    /// As [`verify`](Self::verify): a query that answers `true`.
    #[must_use]
    pub fn verify_sql(mut self, name: impl Into<String>, query: impl Into<String>) -> Self {
        self.guard.checks.push(Check::sql(name, query));
        self
    }

    /// The way down: statements in one transaction that undo the change, and must not end it. They give way to those who hold
    /// a lock as the change does. They are run even if nothing that is compared has changed, and rolled back then if they
    /// would change what is compared: the change has not done what they undo. They take effect once, whenever a host dies.
    #[must_use]
    pub fn down_sql(mut self, text: impl Into<String>) -> Self {
        self.guard.down = Down::Sql(text.into());
        self
    }

    /// The way down: whatever undoes the change. After a crash, and after an error of the kind `Unavailable`, it may be called
    /// again, and it is called even if the change has done nothing, so it must bear both.
    #[must_use]
    pub fn down<F, W>(mut self, work: F) -> Self
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = Result<()>> + Send + 'static,
    {
        self.guard.down = Down::Work(Box::new(move || Box::pin(work())));
        self
    }

    /// Where a backup is restored to, if nothing cheaper brings the change back, and who starts a server on it. Each change
    /// gets a folder of its own within.
    #[must_use]
    pub fn side_server(mut self, folder: impl Into<PathBuf>, by: Arc<dyn SideServer>) -> Self {
        self.guard.side = Some((folder.into(), by));
        self
    }

    /// Allows rows of protected tables to be copied back from the side server. What somebody wrote to rows that existed at
    /// the restore point is lost then, and the report counts them.
    #[must_use]
    pub const fn copying_back(mut self) -> Self {
        self.guard.copies_back = true;
        self
    }

    /// Watches the platform after the change, which is undone if the watch sees enough.
    #[must_use]
    pub fn watch(mut self, watch: Watch) -> Self {
        self.guard.watch = Some(watch);
        self
    }

    /// What must be true for a change to begin, such as a maintenance window.
    #[must_use]
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.guard.gates.push(Arc::new(gate));
        self
    }

    /// Sets how long a statement of a change in a transaction waits for a lock before it gives way (2 s), and how often it
    /// does so (60 times). Migrations have their own setting.
    #[must_use]
    pub const fn giving_way(mut self, lock_timeout: Duration, retries_max: u32) -> Self {
        (self.guard.lock_timeout, self.guard.retries_max) = (lock_timeout, retries_max);
        self
    }

    /// Sets how long the restore point may take to be durable; a minute if not given.
    #[must_use]
    pub const fn durable_within(mut self, limit: Duration) -> Self {
        self.guard.durable_within = limit;
        self
    }

    /// Sets how long those may take to end who still write to protected tables when [work](crate::Change::work) has failed;
    /// ten minutes if not given.
    #[must_use]
    pub const fn settling_within(mut self, limit: Duration) -> Self {
        self.guard.settling_within = limit;
        self
    }

    /// The guard.
    ///
    /// # Errors
    /// `InvalidInput` if neither an archive nor its absence was chosen, for a bad name of the restore point, and where rows
    /// shall be copied back without a side server.
    pub fn build(self) -> Result<Guard> {
        let bad = |message: String, remedy: &'static str| {
            Err(Error::new(ErrorKind::InvalidInput, "set up guard", message).with_remedy(remedy))
        };
        let guard = self.guard;
        if !self.chosen {
            return bad(
                "nothing says whether a backup can bring the database back".to_owned(),
                "call archive, or without_point_in_time",
            );
        }
        let name = &guard.label;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return bad(
                format!("restore_point: {name:?} is no name"),
                "use 1 to 54 visible ASCII characters",
            );
        }
        if guard.side.is_some() && guard.archive().is_none() {
            return bad("side_server: there is no archive to restore from".to_owned(), "call archive");
        }
        if guard.copies_back && (guard.side.is_none() || guard.protected.is_empty()) {
            return bad(
                "copying_back: there is no side server, or no table is protected".to_owned(),
                "call side_server and protect",
            );
        }
        Ok(guard)
    }
}
