//! Dropping partitions.

use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use sqlx::AssertSqlSafe;

use super::look::LOOK_LOCK_TIMEOUT;
use super::mark::Mark;
use super::{ExpiredPartition, PartitionState, RetentionPlan};
use crate::Turn;
use crate::postgres::{Session, code_of};

/// A detachment waits for transactions that may still read the partition, and keeps nobody from anything meanwhile.
const DETACH_TIMEOUT: Duration = Duration::from_secs(600);

/// Detaches and drops what the plan names.
pub(super) async fn drop_partitions(
    server: &PostgresOptions,
    plan: &RetentionPlan,
    expired: &[ExpiredPartition],
    turn: &mut Turn<'_>,
) -> Result<()> {
    let about = plan.table.to_string();
    let mut session = Session::open(server, &about, DETACH_TIMEOUT, LOOK_LOCK_TIMEOUT, &[]).await?;
    for partition in expired {
        if !turn.may_go_on().await {
            return Ok(());
        }
        match drop_one(&mut session, plan, partition).await {
            // Its locks are on a table that nobody can reach any more.
            Ok(()) if partition.state != PartitionState::Marked => {
                turn.did(partition.rows_estimate, Duration::ZERO);
            }
            Ok(()) => {}
            // Until the detachment is finished Postgres begins no other one of this table.
            Err(source) if matches!(code_of(&source).as_deref(), Some("57014" | "55P03")) => {
                let seconds = DETACH_TIMEOUT.as_secs();
                turn.note(format!(
                    "{} is held by others, or by transactions that did not end within {seconds} s; the next run goes on",
                    partition.name
                ));
                return Ok(());
            }
            // Gone, or no longer as it was: the next look says what is left.
            Err(source) if matches!(code_of(&source).as_deref(), Some("42P01" | "42P16" | "55000")) => {
                turn.note(format!("{} was changed by somebody else meanwhile", partition.name));
            }
            Err(source) => return Err(session.failed("drop partition", source)),
        }
    }
    Ok(())
}

async fn drop_one(
    session: &mut Session,
    plan: &RetentionPlan,
    partition: &ExpiredPartition,
) -> Result<(), sqlx::Error> {
    let (table, name) = (&plan.table, &partition.name);
    let detach = format!("ALTER TABLE {table} DETACH PARTITION {name}");
    // A partition would be dropped from under its table, with a lock on that: only what was detached goes, and only while
    // its mark says that it is to.
    let drop = block(&format!(
        "IF EXISTS (SELECT FROM pg_class WHERE oid = {}::regclass AND NOT relispartition \
         AND starts_with(obj_description(oid, 'pg_class'), {})) \
         THEN DROP TABLE {name}; ELSE RAISE 'it is attached or kept' USING ERRCODE = '55000'; END IF;",
        literal(&name.to_string()),
        literal(&Mark::beginning(table)),
    ));
    match partition.state {
        PartitionState::Attached => {
            let Some(to) = partition.to else { return Ok(()) };
            let mark = literal(&Mark { to }.text(table));
            execute(session, &format!("COMMENT ON TABLE {name} IS {mark}")).await?;
            if let Err(source) = detach_patiently(session, &format!("{detach} CONCURRENTLY")).await {
                // Also of a broken connection; then the next run does it.
                let _ = unmark(session, plan, partition).await;
                return Err(source);
            }
            execute(session, &drop).await
        }
        PartitionState::Detaching => {
            detach_patiently(session, &format!("{detach} FINALIZE")).await?;
            execute(session, &drop).await
        }
        PartitionState::Detached => execute(session, &drop).await,
        PartitionState::Marked => unmark(session, plan, partition).await,
    }
}

/// The limit for locks ends the wait for older transactions as well, and that keeps nobody from anything.
async fn detach_patiently(session: &mut Session, detach: &str) -> Result<(), sqlx::Error> {
    execute(session, "SET lock_timeout = 0").await?;
    let done = execute(session, detach).await;
    execute(session, &format!("SET lock_timeout = {}", LOOK_LOCK_TIMEOUT.as_millis())).await?;
    done
}

/// Takes the mark off a partition that is attached, unless its detachment has begun: whoever detaches it later, by hand,
/// wants to keep it.
async fn unmark(
    session: &mut Session,
    plan: &RetentionPlan,
    partition: &ExpiredPartition,
) -> Result<(), sqlx::Error> {
    let name = &partition.name;
    let unmark = block(&format!(
        "IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = {}::regclass AND NOT inhdetachpending \
         AND starts_with(obj_description(inhrelid, 'pg_class'), {})) \
         THEN COMMENT ON TABLE {name} IS NULL; END IF;",
        literal(&name.to_string()),
        literal(&Mark::beginning(&plan.table)),
    ));
    execute(session, &unmark).await
}

async fn execute(session: &mut Session, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut session.connection).await.map(drop)
}

/// Statements of the server's procedural language, between quotes that do not occur in them.
fn block(statements: &str) -> String {
    let mut quote = "$block$".to_owned();
    while statements.contains(&quote) {
        quote.insert_str(1, "a_");
    }
    format!("DO {quote} BEGIN {statements} END {quote}")
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
