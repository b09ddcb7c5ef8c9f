//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::look::{Sources, look};
use super::{Heartbeat, RequeueFacts, RequeuePlan, RequeuePolicy, StuckTask, plan_requeue};
use crate::postgres::{SEES_ALL, Session, chore_name, code_of, label, quoted};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Stop, Turn};

const EVERY: Duration = Duration::from_secs(60);
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// Tasks of one transaction: a few milliseconds' worth.
const BATCH: usize = 200;

/// Requeues the tasks of dead workers, or fails them when they were tried too often.
///
/// Each change is a compare-and-set on the task's status and epoch, and its worker's silence is looked at again in the same
/// statement: of any number of hosts, and of a worker that was only slow, one wins. The role needs SELECT and UPDATE on the
/// tasks, and SELECT where the heartbeats are, and no row security may hide rows of either from it. A partial index of the tasks that are processed keeps the look cheap.
#[derive(Debug, Clone)]
pub struct Requeue {
    server: PostgresOptions,
    policy: RequeuePolicy,
    name: String,
    target: String,
}

impl Requeue {
    /// Care of the tasks at `server`. Nothing happens before a call.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) for a policy that makes no sense.
    pub fn new(server: PostgresOptions, policy: RequeuePolicy) -> Result<Self> {
        policy.check()?;
        let table = format!("{}.{}", policy.tasks.schema(), policy.tasks.table());
        let name = chore_name("requeue", &server, &format!("{}:{table}", server.database));
        let table = label(&table);
        Ok(Self {
            name,
            target: format!("{}:{}/{}/{table}", label(&server.host), server.port, label(&server.database)),
            server: server.with_application_name("alfred-ops requeue"),
            policy,
        })
    }

    /// A caretaker that runs it every minute.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(EVERY))
    }

    async fn open(&self, statement: Duration, lock: Duration) -> Result<Session> {
        // A worker whose heartbeat is hidden would look dead.
        Session::open(&self.server, &self.policy.tasks.to_string(), statement, lock, &[SEES_ALL]).await
    }

    /// One transaction.
    fn statement(&self, id_type: &str, again: bool) -> String {
        let policy = &self.policy;
        let columns = &policy.columns;
        let Sources { from, alive_at, overrun, epoch: epoch_now, retries: retries_now, .. } =
            Sources::of(policy);
        let [id, status, epoch, retries] =
            [&columns.id, &columns.status, &policy.epoch, &columns.retry_count].map(|name| quoted(name));
        let [started, assigned, failed, updated, message] = [
            &columns.started_at,
            &columns.assigned_to,
            &columns.failed_at,
            &columns.updated_at,
            &columns.error_message,
        ]
        .map(|name| quoted(name));
        let epoch_grows =
            if epoch == retries { String::new() } else { format!("{epoch} = {epoch_now} + 1, ") };
        let set = if again {
            let claimed_by = match &policy.heartbeat {
                Heartbeat::Worker { claimed_by: Some(column), .. } if quoted(column) != assigned => {
                    format!(", {} = NULL", quoted(column))
                }
                _ => String::new(),
            };
            format!(
                "{epoch_grows}{retries} = {retries_now} + 1, {assigned} = NULL, {started} = NULL{claimed_by}"
            )
        } else {
            format!(
                "{epoch_grows}{failed} = now(), {message} = 'the worker gave no sign of life, and the task was tried as \
                 often as it may be'"
            )
        };
        format!(
            "WITH wanted AS (SELECT * FROM unnest($2::text[], $3::int8[]) AS w(id, epoch)), \
             held AS (SELECT t.{id} AS id FROM {from} JOIN wanted ON t.{id} = wanted.id::{id_type} \
             AND {epoch_now} = wanted.epoch WHERE {overrun} \
             AND {alive_at} <= now() - $4::float8 * interval '1 second' FOR UPDATE OF t SKIP LOCKED) \
             UPDATE {table} AS t SET {status} = $5, {updated} = now(), {set} FROM held WHERE t.{id} = held.id",
            table = policy.tasks,
        )
    }

    async fn change(
        &self,
        session: &mut Session,
        plan: &RequeuePlan,
        tasks: &[StuckTask],
        again: bool,
        turn: &mut Turn<'_>,
    ) -> Result<()> {
        let statement = self.statement(&plan.id_type, again);
        let status = if again { &self.policy.pending } else { &self.policy.failed };
        for batch in tasks.chunks(BATCH) {
            if !turn.may_go_on().await {
                return Ok(());
            }
            let started = turn.context().clock.monotonic();
            let (ids, epochs): (Vec<&str>, Vec<i64>) =
                batch.iter().map(|task| (task.id.as_str(), task.epoch)).unzip();
            let done = sqlx::query(AssertSqlSafe(statement.as_str()))
                .bind(&self.policy.processing)
                .bind(ids)
                .bind(epochs)
                .bind(self.policy.silence.as_secs_f64())
                .bind(status)
                .execute(&mut session.connection)
                .await;
            let took = turn.context().clock.monotonic().saturating_sub(started);
            match done {
                Ok(done) => turn.did(done.rows_affected(), took),
                Err(source) if code_of(&source).as_deref() == Some("42P01") => {
                    turn.note("a table vanished in the middle of the run");
                    return Ok(());
                }
                Err(source) => return Err(session.failed("requeue tasks", source)),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Chore for Requeue {
    type Facts = RequeueFacts;
    type Plan = RequeuePlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, context: &JobContext) -> Result<RequeueFacts> {
        let mut session = self.open(LOOK_TIMEOUT, LOCK_TIMEOUT).await?;
        let mut facts = look(&mut session, &self.policy).await?;
        facts.looked_at = context.now();
        Ok(facts)
    }

    fn plan(&self, facts: &RequeueFacts, now: DateTime<Utc>) -> RequeuePlan {
        plan_requeue(facts, &self.policy, now)
    }

    async fn apply(&self, plan: &RequeuePlan, turn: &mut Turn<'_>) -> Result<()> {
        let lock = turn.budget().lock;
        let mut session = self.open(LOOK_TIMEOUT, lock).await?;
        self.change(&mut session, plan, &plan.again, true, turn).await?;
        self.change(&mut session, plan, &plan.fail, false, turn).await?;
        if plan.is_full {
            turn.stop(Stop::PlanFull);
        }
        Ok(())
    }
}
