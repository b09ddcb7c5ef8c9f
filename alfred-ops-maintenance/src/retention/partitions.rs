//! Dropping partitions.

use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use sqlx::AssertSqlSafe;

use super::look::LOOK_LOCK_TIMEOUT;
use super::{ExpiredPartition, PartitionState, RetentionPlan};
use crate::postgres::{Session, code_of};
use crate::{TableName, Turn};

/// A detachment waits for transactions that may still read the partition, and keeps nobody from anything meanwhile.
const DETACH_TIMEOUT: Duration = Duration::from_secs(600);

/// What marks a partition as one that a run detaches in order to drop it: the mark survives a kill between the two.
pub(super) fn mark_of(table: &TableName) -> String {
    format!("alfred-ops: expired partition of {table}, to be dropped")
}

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
            Ok(()) => turn.did(partition.rows_estimate, Duration::ZERO),
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
    let mark = format!("COMMENT ON TABLE {name} IS '{}'", mark_of(table).replace('\'', "''"));
    let detach = format!("ALTER TABLE {table} DETACH PARTITION {name}");
    let statements = match partition.state {
        PartitionState::Attached => vec![mark, format!("{detach} CONCURRENTLY")],
        PartitionState::Detaching => vec![mark, format!("{detach} FINALIZE")],
        PartitionState::Detached => Vec::new(),
    };
    // A partition would be dropped from under its table, with a lock on that: only what was detached goes.
    let drop = format!(
        "DO $drop$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE oid = {}::regclass AND NOT relispartition) \
         THEN DROP TABLE {name}; ELSE RAISE 'it is attached' USING ERRCODE = '55000'; END IF; END $drop$",
        literal(&name.to_string())
    );
    for statement in statements.iter().chain([&drop]) {
        sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut session.connection).await?;
    }
    Ok(())
}

fn literal(text: &str) -> String {
    // Within the dollar quotes of the block as well.
    format!("'{}'", text.replace('\'', "''"))
}
