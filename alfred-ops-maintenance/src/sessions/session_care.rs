//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::look::{self, MAINTENANCE};
use super::{SessionFacts, SessionPlan, SessionPolicy, SessionReason, SessionStep, plan_sessions};
use crate::postgres::{Session, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const EVERY: Duration = Duration::from_secs(60);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether a cancelled session obeyed.
const OBEYED_EVERY: Duration = Duration::from_millis(100);

/// The session as it was planned for, in the transaction that it was in: what it has begun since is not its fault.
const SAME: &str = "FROM pg_stat_activity a WHERE a.pid = $1 AND a.backend_start = $2 \
    AND a.xact_start IS NOT DISTINCT FROM $3 AND a.backend_type = 'client backend'";

/// It has done nothing since.
const STILL_IDLE: &str = "a.state LIKE 'idle%' AND a.state_change = $4";

/// It waits for nobody, somebody for it, and it has not begun what must not be ended.
const STILL_BLOCKS: &str = "pg_blocking_pids(a.pid) = '{}' AND EXISTS (SELECT FROM pg_stat_activity w \
    WHERE w.wait_event_type = 'Lock' AND a.pid = ANY (pg_blocking_pids(w.pid)))";

const THERE: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2)";

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
            if !ask(session, step, "pg_cancel_backend(a.pid)").await? {
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
        if !ask(session, step, "pg_terminate_backend(a.pid)").await? {
            return Ok(());
        }
        turn.note(format!("session {pid} was terminated"));
        turn.did(1, Duration::ZERO);
        // It goes when it sees the signal; a second look that found it still there would say that it did not help.
        let mut waited = Duration::ZERO;
        while waited < self.policy.grace && is_there(session, step).await? {
            turn.rest(OBEYED_EVERY).await;
            waited += OBEYED_EVERY;
        }
        Ok(())
    }
}

async fn is_there(session: &mut Session, step: &SessionStep) -> Result<bool> {
    let answer = sqlx::query_scalar(THERE)
        .bind(step.session.pid)
        .bind(step.session.began_at)
        .fetch_one(&mut session.connection)
        .await;
    answer.map_err(|source| session.failed("look at session", source))
}

/// Something of the session, if it is still the one that was planned for and the reason holds. Asked in one statement, so that
/// nothing happens between the look and the deed but what the server itself cannot keep apart.
async fn ask(session: &mut Session, step: &SessionStep, what: &str) -> Result<bool> {
    let still = match step.reason {
        SessionReason::Blocks { .. } => format!("{STILL_BLOCKS} AND NOT {MAINTENANCE}"),
        SessionReason::IdleInTransaction { .. } | SessionReason::TooMany { .. } => STILL_IDLE.to_owned(),
    };
    let sql = format!("SELECT {what} {SAME} AND {still}");
    let mut query = sqlx::query_scalar(AssertSqlSafe(sql.as_str()))
        .bind(step.session.pid)
        .bind(step.session.began_at)
        .bind(step.session.transaction_at);
    if !matches!(step.reason, SessionReason::Blocks { .. }) {
        query = query.bind(step.session.state_at);
    }
    let answer = query.fetch_optional(&mut session.connection).await;
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

    async fn inspect(&self, context: &JobContext) -> Result<SessionFacts> {
        let mut session = self.open().await?;
        let facts = look::facts(&mut session).await;
        let mut facts = facts.map_err(|source| session.failed("look at sessions", source))?;
        facts.looked_at = context.now();
        Ok(facts)
    }

    fn plan(&self, facts: &SessionFacts, now: DateTime<Utc>) -> SessionPlan {
        plan_sessions(facts, &self.policy, now)
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
