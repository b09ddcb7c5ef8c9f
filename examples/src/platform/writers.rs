//! Agents that keep writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_ops_core::{Result, TaskHandle, TaskSet};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use tokio_util::sync::CancellationToken;

use super::Database;
use super::database::failed;

/// Sessions that write at once.
const WRITERS: u64 = 3;

/// Sessions that commit one small transaction after another, as agents at work do.
#[derive(Debug)]
pub struct Writers {
    tasks: TaskSet,
    handles: Vec<TaskHandle<Result<()>>>,
    /// A writer holds it for reading during each transaction.
    gate: Arc<RwLock<()>>,
    commits: Arc<AtomicU64>,
}

impl Writers {
    /// Starts writing.
    #[must_use]
    pub fn start(database: &Database, cancel: &CancellationToken) -> Self {
        let tasks = TaskSet::new(cancel);
        let (gate, commits) = (Arc::new(RwLock::new(())), Arc::new(AtomicU64::new(0)));
        let handles = (0..WRITERS)
            .map(|writer| {
                let (database, gate, commits) = (database.clone(), Arc::clone(&gate), Arc::clone(&commits));
                let cancel = tasks.cancel_token().clone();
                tasks.spawn(async move {
                    let mut number = 0u64;
                    while !cancel.is_cancelled() {
                        let _turn = gate.read().await;
                        number += 1;
                        write(&database, &format!("live-{writer}-{number}")).await?;
                        commits.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        Self { tasks, handles, gate, commits }
    }

    /// Transactions committed so far.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Holds all writers between two transactions until the guard is dropped.
    pub async fn pause(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// Stops writing and waits for the last transaction.
    ///
    /// # Errors
    /// The first that a writer met.
    pub async fn stop(self) -> Result<u64> {
        self.tasks.shutdown().await;
        for handle in self.handles {
            handle.await??;
        }
        Ok(self.commits.load(Ordering::Relaxed))
    }
}

/// One task from arrival to result, in one transaction.
const WRITE: &str = "WITH task AS ( \
        INSERT INTO tasks (task_id, intent, status, content, started_at, completed_at) \
        VALUES ($1, 'live', 'completed', jsonb_build_object('payload', md5($1)), now(), now()) RETURNING id), \
    message AS (INSERT INTO processed_msgs (message_id) VALUES ($1)) \
    INSERT INTO task_results (task_id, result_type, content) \
    SELECT id, 'text', jsonb_build_object('answer', md5(random()::text)) FROM task";

async fn write(database: &Database, task_id: &str) -> Result<()> {
    sqlx::query(WRITE).bind(task_id).execute(database.pool()).await.map_err(failed("write"))?;
    Ok(())
}
