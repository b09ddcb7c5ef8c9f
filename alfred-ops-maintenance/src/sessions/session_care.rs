//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{SessionFacts, SessionPlan, SessionPolicy, SessionStep, look, plan_sessions};
use crate::postgres::{Session, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const EVERY: Duration = Duration::from_secs(60);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether a cancelled session obeyed.
const OBEYED_EVERY: Duration = Duration::from_millis(100);

/// The session as it was planned for, in the transaction that it was in: what it has begun since is not its fault.
const SAME: &str = "FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2 AND xact_start IS NOT DISTINCT FROM $3 \
    AND backend_type = 'client backend'";

/// Ends sessions that keep others from working: heads of queues for locks, transactions that do nothing, and idle sessions
/// when connections run out.
///
/// A statement is cancelled before its session is terminated. Sessions of replication, of maintenance, of superusers and of
/// whom the policy protects are never ended. The role needs `pg_signal_backend` and `pg_read_all_stats`.
#[derive(Debug, Clone)]
pub struct SessionCare {
    server: PostgresOptions,
    policy: SessionPolicy,
    name: String,
    target: String,
}

impl SessionCare {
    /// Care of the sessions at `server`, of all its databases. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: SessionPolicy) -> Self {
        let host = format!("{}:{}", label(&server.host), server.port);
        Self {
            name: format!("sessions-{host}"),
            target: format!("{host}/sessions"),
            server: server.with_application_name("alfred-ops sessions"),
            policy,
        }
    }

    /// A caretaker that runs it every minute.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(EVERY))
    }

    async fn open(&self) -> Result<Session> {
        Session::open(&self.server, "sessions", STATEMENT_TIMEOUT, STATEMENT_TIMEOUT, &[]).await
    }

    async fn end(&self, session: &mut Session, step: &SessionStep, turn: &mut Turn<'_>) -> Result<()> {
        let pid = step.session.pid;
        if step.cancel_first {
            if !ask(session, step, "pg_cancel_backend(pid)").await? {
                return Ok(());
            }
            let mut waited = Duration::ZERO;
            while waited < self.policy.grace {
                turn.rest(OBEYED_EVERY).await;
                waited += OBEYED_EVERY;
                if !ask(session, step, "true").await? {
                    turn.note(format!("session {pid} was cancelled"));
                    turn.did(1, Duration::ZERO);
                    return Ok(());
                }
            }
            if !turn.may_go_on().await {
                return Ok(());
            }
        }
        if ask(session, step, "pg_terminate_backend(pid)").await? {
            turn.note(format!("session {pid} was terminated"));
            turn.did(1, Duration::ZERO);
        }
        Ok(())
    }
}

/// Something of the session, if it is still the one that was planned for.
async fn ask(session: &mut Session, step: &SessionStep, what: &str) -> Result<bool> {
    let sql = format!("SELECT {what} {SAME}");
    let answer = sqlx::query_scalar(AssertSqlSafe(sql.as_str()))
        .bind(step.session.pid)
        .bind(step.session.began_at)
        .bind(step.session.transaction_at)
        .fetch_optional(&mut session.connection)
        .await;
    match answer {
        Ok(answer) => Ok(answer.unwrap_or(false)),
        Err(source) => Err(session.failed("end session", source)),
    }
}

#[async_trait]
impl Chore for SessionCare {
    type Facts = SessionFacts;
    type Plan = SessionPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, _: &JobContext) -> Result<SessionFacts> {
        let mut session = self.open().await?;
        look::facts(&mut session).await.map_err(|source| session.failed("look at sessions", source))
    }

    /// Ages are by the database's clock: `now` does not matter.
    fn plan(&self, facts: &SessionFacts, _: DateTime<Utc>) -> SessionPlan {
        plan_sessions(facts, &self.policy)
    }

    async fn apply(&self, plan: &SessionPlan, turn: &mut Turn<'_>) -> Result<()> {
        let mut session = self.open().await?;
        for step in &plan.steps {
            if !turn.may_go_on().await {
                return Ok(());
            }
            self.end(&mut session, step, turn).await?;
        }
        Ok(())
    }
}
