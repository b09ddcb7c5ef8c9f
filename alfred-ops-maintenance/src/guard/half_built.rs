//! Indexes that a migration has begun to build and that nobody will finish.

use alfred_ops_core::{Error, JobContext, Result};
use sqlx::{AssertSqlSafe, Executor as _};

use super::fingerprint::Fingerprint;
use super::performance::pause;
use crate::MigrationRunner;
use crate::postgres::{Session, gave_way};

const INVALID: &str = "\
    SELECT c.relname::text, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE NOT i.indisvalid AND c.relkind = 'i' \
    AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 2";

/// The half-built indexes that were not there `before`, and that one of the migrations builds, as they stand in SQL.
pub(super) async fn find(
    session: &mut Session,
    before: &Fingerprint,
    runner: &MigrationRunner,
    versions: &[i64],
) -> Result<Vec<String>> {
    let read: std::result::Result<Vec<(String, String)>, _> =
        sqlx::query_as(INVALID).fetch_all(&mut session.connection).await;
    let all = read.map_err(|source| session.failed("look for half-built indexes", source))?;
    let ours = all.into_iter().filter(|(name, quoted)| {
        before.lacks(&format!("index {quoted}")) && runner.builds_index(versions, name)
    });
    Ok(ours.map(|(_, quoted)| quoted).collect())
}

/// Removes them. Gives way to those who hold a lock, so often.
pub(super) async fn remove(
    session: &mut Session,
    indexes: &[String],
    retries_max: u32,
    context: &JobContext,
) -> Result<(), Error> {
    for index in indexes {
        let mut retries = 0;
        loop {
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {index}");
            match session.connection.execute(AssertSqlSafe(drop)).await {
                Ok(_) => break,
                Err(error) if gave_way(&error) && retries < retries_max => {
                    retries += 1;
                    pause(context).await;
                }
                Err(source) => return Err(session.failed("remove a half-built index", source)),
            }
        }
        tracing::warn!(index, "a half-built index was removed");
    }
    Ok(())
}
