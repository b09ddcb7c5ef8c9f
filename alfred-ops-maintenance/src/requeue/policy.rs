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
    ///
    /// Where only a name ties a task to its worker, whoever beats under that name keeps it alive: the successor of a worker
    /// that died too. Its tasks are then told, never taken. `process_started_at` or `claimed_by` tells the two apart.
    Worker {
        /// The table.
        table: TableName,
        /// Its column with what tasks are assigned to.
        name: String,
        /// Its column with the last sign of life, a `timestamptz`.
        column: String,
        /// Its column with when the process began that beats now, a `timestamptz` by the database's clock. A claim that is
        /// older was a predecessor's, whose silence began then at the latest. Only where one process at a time beats under
        /// a name, but for less than the policy's silence while one follows another.
        process_started_at: Option<String>,
        /// The task's column with the process that claimed it, which `name` is compared to in place of the task's worker:
        /// for processes that share a name and beat each in a row of its own. A task that waits again has NULL there.
        claimed_by: Option<String>,
    },
}

impl Heartbeat {
    /// The column of the table of tasks that it reads.
    #[cfg(feature = "postgres")]
    pub(super) fn task_column(&self) -> Option<&str> {
        match self {
            Self::Task { column } => Some(column),
            Self::Worker { claimed_by, .. } => claimed_by.as_deref(),
        }
    }
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
/// Age alone says nothing: whoever works long lives. But a task that its worker's name alone keeps alive for several timeouts
/// is told as an obstacle, for a successor may beat under the name of the dead.
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
    /// number of retries. NULL counts as zero.
    pub epoch: String,
    /// A task whose timeout is NULL may run for so long.
    pub timeout_default: Duration,
    /// A task whose greatest number of retries is NULL is tried again so often. NULL retries are none.
    pub retries_max_default: u32,
    /// A task that runs for more than so many of its timeouts although its worker beats in a table of its own is told.
    pub timeouts_max: u32,
}

impl RequeuePolicy {
    /// The platform's: `tasks`, whose workers are agents with a heartbeat in `agent_registry`; dead after two minutes.
    ///
    /// A worker remembers the `retry_count` that it found when it claimed a task, and writes its result only where the
    /// task is still `processing`, its own and at that count. A worker that was taken for dead then writes nothing.
    ///
    /// An agent's name outlives its processes: what one that died held is told, not taken, once a successor beats. A platform
    /// whose agents write when they began says so by [`with_process_start`](Self::with_process_start), and it is taken.
    /// A NULL timeout is five minutes, a NULL number of retries that are allowed three, the columns' defaults.
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
                process_started_at: None,
                claimed_by: None,
            },
            silence: Duration::from_secs(120),
            epoch: "retry_count".to_owned(),
            timeout_default: Duration::from_secs(300),
            retries_max_default: 3,
            timeouts_max: 3,
        }
    }

    /// Another place of heartbeats, and how long silence may last.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat, silence: Duration) -> Self {
        (self.heartbeat, self.silence) = (heartbeat, silence);
        self
    }

    /// Names the column in which a worker's row says when the process began that beats now; see
    /// [`Heartbeat::Worker::process_started_at`]. Without effect on heartbeats within tasks, which belong to a claim anyway.
    #[must_use]
    pub fn with_process_start(mut self, column: impl Into<String>) -> Self {
        if let Heartbeat::Worker { process_started_at, .. } = &mut self.heartbeat {
            *process_started_at = Some(column.into());
        }
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
        if let Heartbeat::Worker { name, process_started_at, claimed_by, .. } = &self.heartbeat {
            for column in [Some(name), process_started_at.as_ref(), claimed_by.as_ref()].into_iter().flatten()
            {
                check_identifier("heartbeat", column)?;
            }
        }
        if self.silence.is_zero() {
            let fault = "silence: 0 s takes every worker for dead";
            return Err(Error::new(ErrorKind::InvalidInput, "read policy", fault)
                .with_remedy("allow for several heartbeats"));
        }
        Ok(())
    }
}
