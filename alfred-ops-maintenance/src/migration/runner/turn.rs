//! One replica at a time.

use alfred_ops_core::{EntropyExt as _, Error, ErrorKind, JobContext};
use sqlx::PgConnection;
use std::time::Duration;

use super::failure::Failures;
use crate::postgres::NO_SESSION_REMEDY;

/// "alfr", and the first of ours. Advisory locks belong to one database.
const CLASS: i32 = 0x616c_6672;
const NUMBER: i32 = 1;
/// Between two attempts: long enough that replicas cost nothing, short enough that nobody notices.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_SPREAD_MILLIS: u64 = 400;

/// Takes the lock of migrations for as long as the connection lives, and returns how long that took.
///
/// It asks again and again instead of waiting within the server: whoever waits there holds a snapshot, and an index that is
/// built concurrently waits for all snapshots.
pub(super) async fn take(
    connection: &mut PgConnection,
    failures: &Failures,
    wait_max: Duration,
    context: &JobContext,
) -> Result<Duration, Error> {
    let began = context.clock.monotonic();
    loop {
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
            .bind(CLASS)
            .bind(NUMBER)
            .fetch_one(&mut *connection)
            .await
            .map_err(|source| failures.of("take turn", source))?;
        let waited = context.clock.monotonic().saturating_sub(began);
        if taken {
            return Ok(waited);
        }
        if waited >= wait_max {
            let message = format!("another replica has migrated for {waited:.0?} and is not done");
            return Err(failures.problem(ErrorKind::Unavailable, "take turn", message).with_remedy(
                "look at pg_stat_activity for `alfred-ops migrations`, and wait longer with MigrationRunner::with_wait_max",
            ));
        }
        let pause = PAUSE_MIN + Duration::from_millis(context.entropy.below(PAUSE_SPREAD_MILLIS));
        tokio::select! {
            () = context.cancel.cancelled() => {
                return Err(failures.problem(ErrorKind::Cancelled, "take turn", "stopped before its turn"));
            }
            () = context.clock.sleep(pause) => {}
        }
    }
}

/// Refuses to go on without the lock: the server may have lost the session, or a pooler changed it.
pub(super) async fn check(connection: &mut PgConnection, failures: &Failures) -> Result<(), Error> {
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() \
         AND classid::bigint = $1 AND objid::bigint = $2 AND granted)",
    )
    .bind(i64::from(CLASS))
    .bind(i64::from(NUMBER))
    .fetch_one(connection)
    .await
    .map_err(|source| failures.of("check turn", source))?;
    if held {
        return Ok(());
    }
    Err(failures
        .problem(ErrorKind::Fenced, "check turn", "the lock of migrations is not held any more")
        .with_remedy(NO_SESSION_REMEDY))
}
