//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::deletion::Deletion;
use super::look::Look;
use super::partitions::drop_partitions;
use super::vitals::HostCanary;
use super::{RetentionFacts, RetentionPlan, RetentionPolicy, RetentionWork, plan_retention};
use crate::postgres::{chore_name, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

/// Often enough that a run has little to do.
const EVERY: Duration = Duration::from_secs(3600);

/// Removes expired rows of one table: with their partitions, by blocks, or along the index of the age column, never in a
/// transaction that holds its locks for longer than the budget's longest lock, and slower while others are disturbed.
///
/// The role needs SELECT, UPDATE (for the row locks) and DELETE on the table; to drop partitions it has to own them.
/// Of a table with partitions that do not go as a whole, and of one with children, each table on the disk is one of its own:
/// the role needs the rights on each, and each needs the index. Where row-level security hides rows from the role, where the
/// host's clock is not the server's, and where others are detaching a partition nothing goes.
///
/// Nothing but the table is the state of a run, so it may be killed at any moment. Hosts that run it at once do no harm.
///
/// ```
/// use std::sync::Arc;
///
/// use alfred_ops_core::{MemoryStateStore, Metrics, PostgresOptions, Result, Supervisor};
/// use alfred_ops_maintenance::{ClosureGate, Retention, RetentionPolicy};
///
/// # fn main() -> Result<()> {
/// let (state, metrics) = (Arc::new(MemoryStateStore::default()), Metrics::new());
/// let server = PostgresOptions::new("db.internal", "ops");
/// let retention = Retention::new(server, RetentionPolicy::processed_msgs())
///     .caretaker(state.clone())
///     .gate(ClosureGate::new("pages", || async { Ok(None) })) // Or why not now.
///     .metrics(&metrics)
///     .build()?;
/// // `retention.plan(&JobContext::system())` is the dry run.
/// let ops = Supervisor::builder(state).job(retention).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Retention {
    server: PostgresOptions,
    policy: RetentionPolicy,
    canary: Option<HostCanary>,
    name: String,
    target: String,
}

impl Retention {
    /// Retention by `policy` at `server`. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: RetentionPolicy) -> Self {
        let table = format!("{}.{}", policy.table.schema(), policy.table.table());
        Self {
            name: chore_name("retention", &server, &format!("{}:{table}", server.database)),
            target: format!(
                "{}:{}/{}/{}",
                label(&server.host),
                server.port,
                label(&server.database),
                label(&table)
            ),
            server: server.with_application_name("alfred-ops retention"),
            policy,
            canary: None,
        }
    }

    /// Lets the host say how long the application's commits take at present, if it knows. Without it the run measures a
    /// tiny transaction of its own.
    #[must_use]
    pub fn with_canary(
        mut self,
        commit_latency: impl Fn() -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.canary = Some(HostCanary(Arc::new(commit_latency)));
        self
    }

    /// A caretaker that runs it every hour.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(EVERY))
    }
}

#[async_trait]
impl Chore for Retention {
    type Facts = RetentionFacts;
    type Plan = RetentionPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, context: &JobContext) -> Result<RetentionFacts> {
        Look::begin(&self.server, &self.policy, context).await?.facts().await
    }

    fn plan(&self, facts: &RetentionFacts, now: DateTime<Utc>) -> RetentionPlan {
        plan_retention(facts, &self.policy, now)
    }

    async fn apply(&self, plan: &RetentionPlan, turn: &mut Turn<'_>) -> Result<()> {
        if let RetentionWork::DropPartitions(expired) = &plan.work {
            return drop_partitions(&self.server, plan, expired, turn).await;
        }
        let RetentionWork::DeleteFromParts(parts) = &plan.work else {
            return self.delete(plan, turn).await;
        };
        for part in parts {
            if !turn.may_go_on().await {
                return Ok(());
            }
            self.delete(&plan.of_part(part), turn).await?;
        }
        Ok(())
    }
}

impl Retention {
    /// Deletes rows of one table on the disk.
    async fn delete(&self, plan: &RetentionPlan, turn: &mut Turn<'_>) -> Result<()> {
        let canary = self.canary.clone();
        let mut deletion = Deletion::begin(&self.server, plan, &self.policy, canary, turn).await?;
        match &plan.work {
            RetentionWork::DeleteByBlocks { from, to, .. } => deletion.by_blocks(*from, *to, turn).await,
            RetentionWork::DeleteAlongIndex { from, .. } => deletion.along_index(*from, turn).await,
            RetentionWork::DropPartitions(_)
            | RetentionWork::DeleteFromParts(_)
            | RetentionWork::Nothing { .. } => Ok(()),
        }
    }
}
