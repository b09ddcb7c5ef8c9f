//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, ProgressUnit, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::look::look;
use super::{VacuumFacts, VacuumPlan, VacuumPolicy, VacuumStep, plan_vacuum};
use crate::postgres::{Session, code_of, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

/// How often progress is read, and whether the run may go on asked, within one statement.
const WATCH_EVERY: Duration = Duration::from_millis(500);
const WATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// One VACUUM is ended by the run's budget, not by a limit of its own.
const NO_LIMIT: Duration = Duration::from_secs(14 * 24 * 3600);

const PROGRESS: &str = "SELECT phase, heap_blks_scanned AS done, heap_blks_total AS total \
    FROM pg_stat_progress_vacuum WHERE pid = $1";

/// Vacuums, analyzes and freezes the tables of one database where autovacuum left something to do.
///
/// The role needs the right MAINTAIN on the tables or `pg_maintain` (Postgres 17 and newer), or has to own them; what it
/// may do it does. With `pg_monitor` it also sees which sessions keep dead rows from being removed. A VACUUM keeps nobody
/// from reading and writing; one that is stopped in the middle keeps what it has done so far.
#[derive(Debug, Clone)]
pub struct Vacuum {
    server: PostgresOptions,
    policy: VacuumPolicy,
    name: String,
    target: String,
}

impl Vacuum {
    /// Upkeep of the database that `server` names. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: VacuumPolicy) -> Self {
        let database = label(&server.database);
        Self {
            name: format!("vacuum-{database}"),
            target: format!("{}:{}/{database}", label(&server.host), server.port),
            server: server.with_application_name("alfred-ops vacuum"),
            policy,
        }
    }

    /// A caretaker that runs it every week.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::weekly())
    }
}

/// The end of one statement.
enum End {
    /// It is done, or there is nothing more to do to this table.
    Done,
    /// The run was to stop.
    Stopped,
}

/// One statement on one connection, watched and, if need be, ended from another.
async fn one(
    step: &VacuumStep,
    worker: &mut Session,
    watcher: &mut Session,
    pid: i32,
    turn: &mut Turn<'_>,
) -> Result<End> {
    let statement = step.statement();
    turn.context().progress.begin(step.table.to_string(), None, ProgressUnit::Items);
    let mut ended = false;
    let done = {
        let work = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut worker.connection);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = turn.context().clock.sleep(WATCH_EVERY) => {}
            }
            show_progress(watcher, pid, turn).await?;
            if !ended && !turn.may_go_on().await {
                ended = true;
                let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
                let asked = cancel.execute(&mut watcher.connection).await;
                asked.map_err(|source| watcher.failed("end VACUUM", source))?;
            }
        }
    };
    let Err(source) = done else { return Ok(End::Done) };
    match code_of(&source).as_deref() {
        Some("57014") if ended => Ok(End::Stopped),
        Some("42P01") => {
            turn.note(format!("{} vanished", step.table));
            Ok(End::Done)
        }
        Some("57014" | "55P03") => {
            turn.note(format!("VACUUM of {} was ended by somebody else", step.table));
            Ok(End::Done)
        }
        _ => Err(worker.failed("vacuum", source)),
    }
}

#[async_trait]
impl Chore for Vacuum {
    type Facts = VacuumFacts;
    type Plan = VacuumPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, _: &JobContext) -> Result<VacuumFacts> {
        look(&self.server).await
    }

    fn plan(&self, facts: &VacuumFacts, now: DateTime<Utc>) -> VacuumPlan {
        plan_vacuum(facts, &self.policy, now)
    }

    async fn apply(&self, plan: &VacuumPlan, turn: &mut Turn<'_>) -> Result<()> {
        let delay = format!("{}us", self.policy.cost_delay.as_micros());
        let limit = self.policy.cost_limit.to_string();
        let settings = [("vacuum_cost_delay", delay.as_str()), ("vacuum_cost_limit", limit.as_str())];
        let lock = turn.budget().lock;
        let mut worker = Session::open(&self.server, "database", NO_LIMIT, lock, &settings).await?;
        let mut watcher = Session::open(&self.server, "database", WATCH_TIMEOUT, lock, &[]).await?;
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut worker.connection).await;
        let pid = pid.map_err(|source| worker.failed("begin", source))?;
        for step in &plan.steps {
            if !turn.may_go_on().await {
                return Ok(());
            }
            match one(step, &mut worker, &mut watcher, pid, turn).await? {
                End::Done => {}
                End::Stopped => return Ok(()),
            }
            // It waited for no lock, and its own keeps out only changes of the table's form.
            turn.did(step.dead, Duration::ZERO);
        }
        Ok(())
    }
}

async fn show_progress(watcher: &mut Session, pid: i32, turn: &Turn<'_>) -> Result<()> {
    let row = sqlx::query(PROGRESS).bind(pid).fetch_optional(&mut watcher.connection).await;
    let Some(row) = row.map_err(|source| watcher.failed("watch VACUUM", source))? else { return Ok(()) };
    let read = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    let (done, total) = match (read("done"), read("total")) {
        (Ok(done), Ok(total)) => (done, total),
        (Err(source), _) | (_, Err(source)) => return Err(watcher.failed("watch VACUUM", source)),
    };
    let progress = &turn.context().progress;
    progress.set_total(total);
    progress.add(done.saturating_sub(progress.state().done));
    Ok(())
}
