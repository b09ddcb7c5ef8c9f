//! Which tasks are stuck, and what the platform calls things.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use crate::TableName;
use crate::postgres::check_identifier;

/// Where workers say that they live.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heartbeat {
    /// In a column of the task, which its worker keeps fresh.
    Task {
        /// The column, a `timestamptz`.
        column: String,
    },
    /// In a row of their own.
    Worker {
        /// The table.
        table: TableName,
        /// Its column with what tasks are assigned to.
        name: String,
        /// Its column with the last sign of life, a `timestamptz`.
        column: String,
    },
}

/// What the columns of the table of tasks are called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is called after the platform's own column")]
#[non_exhaustive]
pub struct TaskColumns {
    pub id: String,
    pub status: String,
    pub assigned_to: String,
    pub started_at: String,
    pub failed_at: String,
    pub updated_at: String,
    pub error_message: String,
    pub retry_count: String,
    pub max_retries: String,
    pub timeout_seconds: String,
}

impl Default for TaskColumns {
    /// The platform's.
    fn default() -> Self {
        Self {
            id: "id".to_owned(),
            status: "status".to_owned(),
            assigned_to: "assigned_to".to_owned(),
            started_at: "started_at".to_owned(),
            failed_at: "failed_at".to_owned(),
            updated_at: "updated_at".to_owned(),
            error_message: "error_message".to_owned(),
            retry_count: "retry_count".to_owned(),
            max_retries: "max_retries".to_owned(),
            timeout_seconds: "timeout_seconds".to_owned(),
        }
    }
}

impl TaskColumns {
    pub(super) fn all(&self) -> [&str; 10] {
        [
            &self.id,
            &self.status,
            &self.assigned_to,
            &self.started_at,
            &self.failed_at,
            &self.updated_at,
            &self.error_message,
            &self.retry_count,
            &self.max_retries,
            &self.timeout_seconds,
        ]
    }
}

/// Which tasks are stuck, and what becomes of them.
///
/// A task is stuck when it runs for longer than its own timeout *and* its worker has given no sign of life for `silence`.
/// Age alone says nothing: whoever works long lives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequeuePolicy {
    /// The table of tasks.
    pub tasks: TableName,
    /// Its columns.
    pub columns: TaskColumns,
    /// The status of a task that somebody works on.
    pub processing: String,
    /// The status of a task that waits.
    pub pending: String,
    /// The status of a task that was tried too often.
    pub failed: String,
    /// Where workers say that they live.
    pub heartbeat: Heartbeat,
    /// A worker that was silent for so long is dead: several heartbeats.
    pub silence: Duration,
    /// The column, a whole number, that grows with each requeueing and tells an old claim from a new one. It may be the
    /// number of retries.
    pub epoch: String,
}

impl RequeuePolicy {
    /// The platform's: `tasks`, whose workers are agents with a heartbeat in `agent_registry`; dead after two minutes.
    ///
    /// A worker remembers the `retry_count` that it found when it claimed a task, and writes its result only where the
    /// task is still `processing`, its own and at that count. A worker that was taken for dead then writes nothing.
    #[must_use]
    #[expect(clippy::expect_used, reason = "two constant names, which a test checks")]
    pub fn platform() -> Self {
        Self {
            tasks: "public.tasks".parse().expect("a constant name"),
            columns: TaskColumns::default(),
            processing: "processing".to_owned(),
            pending: "pending".to_owned(),
            failed: "failed".to_owned(),
            heartbeat: Heartbeat::Worker {
                table: "public.agent_registry".parse().expect("a constant name"),
                name: "name".to_owned(),
                column: "last_heartbeat".to_owned(),
            },
            silence: Duration::from_secs(120),
            epoch: "retry_count".to_owned(),
        }
    }

    /// Another place of heartbeats, and how long silence may last.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat, silence: Duration) -> Self {
        (self.heartbeat, self.silence) = (heartbeat, silence);
        self
    }

    /// Refuses names that are none, and a silence that is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] naming the first mistake.
    pub fn check(&self) -> Result<()> {
        for column in self.columns.all().into_iter().chain([self.epoch.as_str()]) {
            check_identifier("columns", column)?;
        }
        let (Heartbeat::Task { column } | Heartbeat::Worker { column, .. }) = &self.heartbeat;
        check_identifier("heartbeat", column)?;
        if let Heartbeat::Worker { name, .. } = &self.heartbeat {
            check_identifier("heartbeat", name)?;
        }
        if self.silence.is_zero() {
            let fault = "silence: 0 s takes every worker for dead";
            return Err(Error::new(ErrorKind::InvalidInput, "read policy", fault)
                .with_remedy("allow for several heartbeats"));
        }
        Ok(())
    }
}
