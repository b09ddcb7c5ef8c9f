//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::look::look;
use super::{VacuumFacts, VacuumPlan, VacuumPolicy, VacuumStep, plan_vacuum};
use crate::postgres::{Session, StatementEnd, StepFailures, WatchedWorker, chore_name, code_of, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

/// A look costs little, and where nothing is to be done it is all.
const EVERY: Duration = Duration::from_secs(24 * 3600);
const WATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// One VACUUM is ended by the run's budget, not by a limit of its own.
const NO_LIMIT: Duration = Duration::from_secs(14 * 24 * 3600);

const PROGRESS: &str = "SELECT heap_blks_scanned AS done, heap_blks_total AS total \
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
            name: chore_name("vacuum", &server, &server.database),
            target: format!("{}:{}/{database}", label(&server.host), server.port),
            server: server.with_application_name("alfred-ops vacuum"),
            policy,
        }
    }

    /// A caretaker that runs it every day, overdue after two weeks: what is weekly waits for its week (see
    /// [`VacuumPolicy::period`]), and rows of a busy server may grow old within one.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(EVERY).with_overdue_after(14 * EVERY))
    }
}

/// One statement; whether there may be more.
async fn one(
    step: &VacuumStep,
    work: &mut WatchedWorker,
    failures: &mut StepFailures,
    turn: &mut Turn<'_>,
) -> Result<bool> {
    let began = turn.context().clock.monotonic();
    let source = match work.run(&step.statement(), step.table.to_string(), turn).await? {
        StatementEnd::Done => {
            // It waited for no lock, and its own keeps out only changes of the table's form.
            turn.did(step.dead, Duration::ZERO);
            return Ok(true);
        }
        StatementEnd::Stopped => {
            turn.cut_off(&step.table.to_string(), began)?;
            return Ok(false);
        }
        StatementEnd::Failed(source) => source,
    };
    match code_of(&source).as_deref() {
        Some("42P01") => turn.note(format!("{} vanished", step.table)),
        Some("57014" | "55P03") => {
            turn.note(format!("VACUUM of {} was ended by somebody else", step.table));
        }
        code => {
            let code = code.map(ToOwned::to_owned);
            failures.note(&step.table, code, work.worker.failed("vacuum", source), turn).await?;
        }
    }
    Ok(true)
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
        let worker = Session::open(&self.server, "database", NO_LIMIT, lock, &settings).await?;
        let watcher = Session::open(&self.server, "database", WATCH_TIMEOUT, lock, &[]).await?;
        let mut work = WatchedWorker::new(worker, watcher, PROGRESS).await?;
        let mut failures = StepFailures::default();
        let mut steps: Vec<&VacuumStep> = plan.steps.iter().collect();
        steps.sort_by_key(|step| turn.was_cut_off(&step.table.to_string()));
        for step in steps {
            if !turn.may_go_on().await || !one(step, &mut work, &mut failures, turn).await? {
                break;
            }
        }
        failures.into_result("vacuum")
    }
}
