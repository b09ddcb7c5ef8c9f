//! One statement about an index, watched, tried again, and cleaned up after.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use sqlx::{AssertSqlSafe, Row as _};

use super::plan::is_leftover;
use super::{IndexFault, IndexFinding};
use crate::postgres::{Session, StatementEnd, StepFailures, WatchedWorker, code_of, gave_way};
use crate::{TableName, Turn};

const WATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// A build that could not get its locks is begun so often. Each has to wait for all transactions that were there before it.
const ATTEMPTS: u32 = 3;

const OTHERS: &str = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index \
    WHERE datname = current_database() AND pid <> $1)";

/// Indexes of the same table that are not valid.
const INVALID: &str = "SELECT c.oid::int8 AS id, n.nspname::text AS schema, c.relname::text AS name \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE NOT i.indisvalid AND i.indrelid IN \
    (SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass($1) UNION SELECT to_regclass($2)::oid)";

const PROGRESS: &str =
    "SELECT blocks_done AS done, blocks_total AS total FROM pg_stat_progress_create_index WHERE pid = $1";

/// The connection that works and the one that watches.
pub(super) struct Build {
    work: WatchedWorker,
    lock_wait: Duration,
}

/// The end of one statement.
enum End {
    Done,
    /// Somebody held a lock for too long.
    Locked,
    /// The run was to stop.
    Stopped,
    /// Nothing comes of it, whoever tries: why.
    Refused(String),
    /// The server said something that nobody foresaw.
    Failed(sqlx::Error),
}

impl Build {
    pub(super) async fn begin(
        server: &PostgresOptions,
        lock_wait: Duration,
        turn: &Turn<'_>,
    ) -> Result<Self> {
        let worker = Session::open(server, "indexes", turn.budget().time, lock_wait, &[]).await?;
        let watcher = Session::open(server, "indexes", WATCH_TIMEOUT, lock_wait, &[]).await?;
        Ok(Self { work: WatchedWorker::new(worker, watcher, PROGRESS).await?, lock_wait })
    }

    /// Does one step. What a build that failed or was stopped left is gone afterwards, or noted; the next look finds it.
    pub(super) async fn mend(
        &mut self,
        step: &IndexFinding,
        failures: &mut StepFailures,
        turn: &mut Turn<'_>,
    ) -> Result<()> {
        let Some(statement) = step.statement() else { return Ok(()) };
        for attempt in 1..=ATTEMPTS {
            if step.touches_builds() && self.others_build().await? {
                turn.note(format!("{} waits: another session builds an index", step.index));
                return Ok(());
            }
            let began = turn.context().clock.monotonic();
            let before: BTreeSet<i64> = self.invalid(step).await?.into_iter().map(|(id, _)| id).collect();
            let end = self.run(&statement, step, turn).await;
            if !matches!(end, Ok(End::Done)) {
                self.clean(step, &before, turn).await;
            }
            match end? {
                End::Done => {
                    turn.did(step.bytes, Duration::ZERO);
                    return Ok(());
                }
                End::Refused(why) => {
                    turn.note(format!("{} is as it was: {why}", step.index));
                    return Ok(());
                }
                End::Locked if attempt < ATTEMPTS && turn.may_go_on().await => {
                    turn.rest(self.lock_wait).await;
                }
                End::Locked => {
                    turn.note(format!("{} is as it was: somebody held its table all the time", step.index));
                }
                End::Stopped => return turn.cut_off(&step.index.to_string(), began),
                End::Failed(source) => {
                    let code = code_of(&source);
                    let error = self.work.worker.failed("mend index", source);
                    return failures.note(&step.index, code, error, turn).await;
                }
            }
            if !turn.may_go_on().await {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn run(&mut self, statement: &str, step: &IndexFinding, turn: &mut Turn<'_>) -> Result<End> {
        let source = match self.work.run(statement, step.index.to_string(), turn).await? {
            StatementEnd::Done => return Ok(End::Done),
            StatementEnd::Stopped => return Ok(End::Stopped),
            StatementEnd::Failed(source) => source,
        };
        if gave_way(&source) {
            return Ok(End::Locked);
        }
        Ok(match code_of(&source).as_deref() {
            // The statement may take as long as the run, so it may end a moment before the run is told to.
            Some("57014") if !turn.may_go_on().await => End::Stopped,
            Some("57014") => End::Refused("somebody ended the build, or it took too long".to_owned()),
            Some("42704" | "42P01" | "42703") => End::Refused("it vanished, or its table did".to_owned()),
            Some("42P07") => End::Refused("something else has its name".to_owned()),
            // The limit of what a B-tree's entry may take.
            Some("54000") => End::Refused("a value is too long for an index".to_owned()),
            Some("23505") => End::Refused(self.work.worker.failed("mend", source).full()),
            _ => End::Failed(source),
        })
    }

    async fn others_build(&mut self) -> Result<bool> {
        let asked =
            sqlx::query_scalar(OTHERS).bind(self.work.pid).fetch_one(&mut self.work.watcher.connection).await;
        asked.map_err(|source| self.work.watcher.failed("look for builds", source))
    }

    async fn invalid(&mut self, step: &IndexFinding) -> Result<Vec<(i64, TableName)>> {
        let table = step.fault.lacks().map(|(table, _)| table);
        let rows = sqlx::query(INVALID)
            .bind(step.index.to_string())
            .bind(table)
            .fetch_all(&mut self.work.watcher.connection)
            .await;
        let found = rows.and_then(|rows| {
            let read = rows.iter().map(|row| {
                let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
                Ok((row.try_get("id")?, name))
            });
            read.collect()
        });
        found.map_err(|source| self.work.watcher.failed("look for leftovers", source))
    }

    /// Drops what this build left: what is not valid, was not there before, and has the name of such a thing. Where somebody
    /// else builds meanwhile nobody can tell whose it is, and it stays.
    async fn clean(&mut self, step: &IndexFinding, before: &BTreeSet<i64>, turn: &mut Turn<'_>) {
        let left = match self.others_build().await {
            Ok(true) => return,
            Ok(false) => self.invalid(step).await,
            Err(error) => Err(error),
        };
        let left = match left {
            Ok(left) => left,
            Err(error) => return turn.note(format!("what {} left is there still: {error}", step.index)),
        };
        for (id, name) in left {
            let is_ours = match step.fault {
                IndexFault::Missing { .. } | IndexFault::Scanned { .. } => name == step.index,
                IndexFault::Bloated { .. } | IndexFault::Invalid => is_leftover(name.table()),
                _ => false,
            };
            if !is_ours || before.contains(&id) {
                continue;
            }
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
            let done =
                sqlx::raw_sql(AssertSqlSafe(drop.as_str())).execute(&mut self.work.watcher.connection).await;
            if let Err(source) = done {
                let error = self.work.watcher.failed("clean up", source);
                turn.note(format!("a failed build left {name}, which the next run drops: {error}"));
            }
        }
    }
}
