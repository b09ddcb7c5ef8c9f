//! Deleting rows.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::look::EARLIEST;
use super::vitals::{HostCanary, Vitals};
use super::{Pulse, RetentionPlan, RetentionPolicy, Throttle, Trouble};
use crate::Turn;
use crate::postgres::{SEES_ALL, Session, code_of, quoted};

/// What a run begins with: some milliseconds' worth.
const BLOCKS_FIRST: u64 = 16;
const ROWS_FIRST: u64 = 1_000;
/// As many blocks as rows fit into no batch.
const BLOCKS_MAX: u64 = 1_024;
/// A wait for a lock is a part of the time for which the batch holds its own.
const LOCK_WAITS_PER_LOCK: u32 = 4;
/// So often in a row a batch may come to nothing before the run gives up.
const FAILURES_MAX: u32 = 50;

/// What one statement takes.
#[derive(Debug, Clone, Copy)]
enum Batch {
    /// All expired rows of these blocks; waits for rows that are locked, but not long.
    Blocks { from: u64, to: u64 },
    /// The same without those that are locked.
    FreeOfBlocks { from: u64, to: u64 },
    /// So many from this age on, without those that are locked. None begins at the beginning.
    Along { from: Option<DateTime<Utc>>, rows: u64 },
}

/// What became of it.
#[derive(Debug)]
enum Step {
    Done {
        rows: u64,
        reached: Option<DateTime<Utc>>,
    },
    /// It took as long as a lock may be held.
    GaveUp,
    /// Somebody held what it needs.
    Locked,
    /// There is no such table any more.
    Vanished,
}

/// Deletes the rows of one plan.
pub(super) struct Deletion<'a> {
    plan: &'a RetentionPlan,
    policy: &'a RetentionPolicy,
    worker: Session,
    vitals: Vitals,
    throttle: Throttle,
    baseline: Option<Duration>,
    failures: u32,
    last_trouble: Option<Trouble>,
}

impl<'a> Deletion<'a> {
    pub(super) async fn begin(
        server: &PostgresOptions,
        plan: &'a RetentionPlan,
        policy: &'a RetentionPolicy,
        canary: Option<HostCanary>,
        turn: &Turn<'_>,
    ) -> Result<Self> {
        let about = plan.table.to_string();
        let lock = turn.budget().lock;
        // A deletion that a crash of the server undoes is done again; so no batch holds its locks until a disk, or a
        // replica, has it.
        // A batch reads its rows by their places, also where reading the whole of a small table looked cheaper.
        let settings = [
            ("synchronous_commit", "off"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            SEES_ALL,
        ];
        let mut worker = Session::open(server, &about, lock, lock / LOCK_WAITS_PER_LOCK, &settings).await?;
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut worker.connection).await;
        let pid = pid.map_err(|source| worker.failed("begin", source))?;
        let clock = std::sync::Arc::clone(&turn.context().clock);
        let mut vitals = Vitals::begin(server, &about, canary, pid, clock).await?;
        let baseline = vitals.baseline().await?;
        let throttle = Throttle::new(policy.throttle, 1, 1, baseline);
        Ok(Self { plan, policy, worker, vitals, throttle, baseline, failures: 0, last_trouble: None })
    }

    /// Walks over blocks, and takes what lies elsewhere along the index.
    pub(super) async fn by_blocks(&mut self, from: u64, to: u64, turn: &mut Turn<'_>) -> Result<()> {
        self.throttle = Throttle::new(self.policy.throttle, BLOCKS_FIRST, BLOCKS_MAX, self.baseline);
        let mut at = from;
        while at < to {
            if !turn.may_go_on().await {
                return Ok(());
            }
            let end = at.saturating_add(self.throttle.batch()).min(to);
            let mut step = self.step(Batch::Blocks { from: at, to: end }, turn).await?;
            if matches!(step, Step::Locked) {
                step = self.step(Batch::FreeOfBlocks { from: at, to: end }, turn).await?;
            }
            match step {
                Step::Done { .. } => at = end,
                Step::Vanished => return Ok(()),
                // Also where it is a single block: what it held was not the block's fault.
                Step::GaveUp | Step::Locked => self.failed_again(turn).await?,
            }
        }
        if let Some(oldest) = self.oldest().await? {
            self.along_index(oldest, turn).await?;
        }
        Ok(())
    }

    /// Walks along the index and never back, so that no batch wades through rows that earlier ones left dead.
    pub(super) async fn along_index(&mut self, oldest: DateTime<Utc>, turn: &mut Turn<'_>) -> Result<()> {
        let rows_max = u64::from(self.policy.batch_rows);
        self.throttle =
            Throttle::new(self.policy.throttle, ROWS_FIRST.min(rows_max), rows_max, self.baseline);
        let mut from = Some(oldest);
        while turn.may_go_on().await {
            let rows = self.throttle.batch().min(turn.work_left());
            // What stands for -infinity is younger than that.
            let bound = from.filter(|from| from.timestamp() > EARLIEST_SECONDS);
            match self.step(Batch::Along { from: bound, rows }, turn).await? {
                Step::Done { rows: 0, .. } | Step::Vanished => return Ok(()),
                Step::Done { reached, .. } => from = reached.or(from),
                Step::GaveUp | Step::Locked => self.failed_again(turn).await?,
            }
        }
        Ok(())
    }

    async fn failed_again(&mut self, turn: &mut Turn<'_>) -> Result<()> {
        self.failures += 1;
        if self.failures < FAILURES_MAX {
            turn.rest(turn.budget().lock).await;
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "delete expired rows",
            "nothing comes of one batch after another",
        )
        .with_target(self.plan.table.to_string())
        .with_remedy(
            "look for what holds the table, for slow triggers and foreign keys, or allow longer locks",
        ))
    }

    /// One batch, while it is watched how others fare, and the rest after it.
    async fn step(&mut self, batch: Batch, turn: &mut Turn<'_>) -> Result<Step> {
        let clock = &turn.context().clock;
        let started = clock.monotonic();
        let work = async {
            let done = execute(&mut self.worker, self.plan, batch).await;
            (done, clock.monotonic().saturating_sub(started))
        };
        let ((done, took), seen) = tokio::join!(work, self.vitals.pulse());
        let (pulse, blind) = seen?;
        self.vitals.tell_blind(blind, turn);
        let step = match done {
            Ok((rows, reached)) => {
                self.failures = 0;
                turn.did(rows, took);
                Step::Done { rows, reached }
            }
            Err(source) => match code_of(&source).as_deref() {
                Some("57014" | "40P01" | "40001") => Step::GaveUp,
                Some("55P03") => Step::Locked,
                Some("42P01") => {
                    turn.note("the table vanished in the middle of the run");
                    Step::Vanished
                }
                _ => return Err(self.worker.failed("delete expired rows", source)),
            },
        };
        let rows = if let Step::Done { rows, .. } = step { rows } else { 0 };
        let pulse = Pulse { batch: took, rows, gave_up: matches!(step, Step::GaveUp), ..pulse };
        let pace = self.throttle.beat(&pulse);
        let kind = |trouble: &Trouble| std::mem::discriminant(trouble);
        if let Some(trouble) = &pace.trouble
            && self.last_trouble.as_ref().map(kind) != Some(kind(trouble))
        {
            turn.note(format!("slower: {trouble}"));
        }
        self.last_trouble = pace.trouble.or(self.last_trouble);
        if !pace.rest.is_zero() {
            turn.rest(pace.rest).await;
        }
        Ok(step)
    }

    /// The oldest expired row.
    async fn oldest(&mut self) -> Result<Option<DateTime<Utc>>> {
        let (table, column) = (&self.plan.table, quoted(&self.plan.column));
        let oldest = format!(
            "SELECT greatest({column}, {EARLIEST}) FROM ONLY {table} WHERE {column} < $1 ORDER BY {column} LIMIT 1"
        );
        let session = &mut self.vitals.session;
        let found = sqlx::query_scalar(AssertSqlSafe(oldest.as_str()))
            .bind(self.plan.cutoff)
            .fetch_optional(&mut session.connection)
            .await;
        match found {
            Err(source) if code_of(&source).as_deref() == Some("42P01") => Ok(None),
            other => other.map_err(|source| session.failed("look at table", source)),
        }
    }
}

/// 1900, as [`EARLIEST`] has it, in seconds since 1970.
const EARLIEST_SECONDS: i64 = -2_208_988_800;

async fn execute(
    session: &mut Session,
    plan: &RetentionPlan,
    batch: Batch,
) -> Result<(u64, Option<DateTime<Utc>>), sqlx::Error> {
    let (table, column) = (&plan.table, quoted(&plan.column));
    let in_blocks = format!("ctid >= $2::text::tid AND ctid < $3::text::tid AND {column} < $1");
    // A place in the heap says which row it is in one table only, never in its children. That the row is old is asked once
    // more, in a form that no index answers: the rows are read by their places.
    let free = |which: &str| {
        format!(
            "WITH batch AS (SELECT ctid, {column} AS age FROM ONLY {table} WHERE {which} FOR UPDATE SKIP LOCKED), \
             gone AS (DELETE FROM ONLY {table} AS t USING batch WHERE t.ctid = batch.ctid \
             AND (t.{column} < $1) IS TRUE RETURNING batch.age) \
             SELECT count(*) AS rows, greatest(max(age), {EARLIEST}) AS reached FROM gone"
        )
    };
    let tid = |block: u64| format!("({block},0)");
    let sql = match batch {
        Batch::Blocks { from, to } => {
            let sql = format!("DELETE FROM ONLY {table} WHERE {in_blocks}");
            let delete =
                sqlx::query(AssertSqlSafe(sql.as_str())).bind(plan.cutoff).bind(tid(from)).bind(tid(to));
            let done = delete.execute(&mut session.connection).await?;
            return Ok((done.rows_affected(), None));
        }
        Batch::FreeOfBlocks { .. } => free(&in_blocks),
        // The bounds are no alternatives within the statement: then the index would be read from its beginning.
        Batch::Along { .. } => {
            free(&format!("{column} < $1 AND {column} >= $2::text::timestamptz ORDER BY {column} LIMIT $3"))
        }
    };
    let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(plan.cutoff);
    let query = match batch {
        Batch::Blocks { from, to } | Batch::FreeOfBlocks { from, to } => query.bind(tid(from)).bind(tid(to)),
        Batch::Along { from, rows } => {
            let from = from.map_or_else(
                || "-infinity".to_owned(),
                |from| from.to_rfc3339_opts(SecondsFormat::Micros, true),
            );
            query.bind(from).bind(i64::try_from(rows).unwrap_or(i64::MAX))
        }
    };
    let row = query.fetch_one(&mut session.connection).await?;
    let rows: i64 = row.try_get("rows")?;
    Ok((rows.unsigned_abs(), row.try_get("reached")?))
}
