//! Migrations outside of a transaction that were broken off, on a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{ErrorKind, JobContext};
use alfred_ops_maintenance::{MigrationReport, MigrationRunner};
use sqlx::migrate::{Migration, MigrationType, Migrator};

const INVALID: &str = "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text COLLATE \"C\") FROM pg_index WHERE NOT indisvalid";

/// A server with a table, whose rows are alike in `b`.
async fn server() -> PostgresServer {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server
        .psql("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 1), (2, 1); CREATE INDEX t_a ON t (a)")
        .unwrap();
    server
}

/// The runner of one migration outside of a transaction, which gives way at once.
fn runner(server: &PostgresServer, sql: &str) -> MigrationRunner {
    let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql.to_owned()));
    let migration = Migration::new(1, Cow::Borrowed("step"), MigrationType::Simple, sql, true);
    MigrationRunner::new(server.options(), Arc::new(Migrator::with_migrations(vec![migration])))
        .giving_way(Duration::from_millis(20), 60)
        .with_patience(Duration::from_millis(20), 60)
}

fn invalidate(server: &PostgresServer, index: &str) {
    let sql = format!("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass");
    server.psql(&sql).unwrap();
}

/// Runs while a transaction reads the table; it ends, and `meanwhile` is run, once the runner has given way.
async fn run_beside_a_reader(
    server: &PostgresServer,
    runner: MigrationRunner,
    meanwhile: &str,
) -> MigrationReport {
    let context = JobContext::system();
    let pool = sqlx::PgPool::connect(server.options().to_url().expose()).await.unwrap();
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM t").execute(&mut *reader).await.unwrap();
    let let_go = async {
        while !server.log().contains("due to lock timeout") {
            context.clock.sleep(Duration::from_millis(5)).await;
        }
        reader.rollback().await.unwrap();
        server.psql(meanwhile).unwrap();
    };
    let (report, ()) = tokio::join!(runner.run(&context), let_go);
    report.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_dropped_is_not_removed_before() {
    let server = server().await;
    let drop = runner(&server, "DROP INDEX CONCURRENTLY t_a");
    let report = run_beside_a_reader(&server, drop, "SELECT 1").await;
    assert!(report.retries > 0 && report.removed.is_empty(), "{report}");
    assert_eq!((report.applied, server.psql("SELECT to_regclass('t_a')").unwrap()), (vec![1], String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_went_while_its_drop_gave_way_is_dropped() {
    let server = server().await;
    let drop = runner(&server, "DROP INDEX CONCURRENTLY t_a");
    let report = run_beside_a_reader(&server, drop, "DROP INDEX IF EXISTS t_a").await;
    assert_eq!(report.applied, [1]);
    // One that was never there is a mistake.
    let none = PostgresServer::builder().unwrap().start().await.unwrap();
    let error = runner(&none, "DROP INDEX CONCURRENTLY t_a").run(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.full());
}

#[tokio::test]
async fn an_index_that_is_not_valid_is_rebuilt_where_it_is() {
    let server = server().await;
    invalidate(&server, "t_a");
    let number = server.psql("SELECT 't_a'::regclass::oid").unwrap();
    let report = runner(&server, "REINDEX INDEX CONCURRENTLY t_a").run(&JobContext::system()).await.unwrap();
    assert_eq!((report.applied, report.removed), (vec![1], Vec::<String>::new()));
    assert_eq!(server.psql(INVALID).unwrap(), "");
    assert_ne!(server.psql("SELECT 't_a'::regclass::oid").unwrap(), number);
}

#[tokio::test]
async fn an_index_of_another_schema_or_table_is_left_alone() {
    let server = server().await;
    server
        .psql(
            "CREATE SCHEMA other; CREATE TABLE other.t (c int); CREATE INDEX t_b ON other.t (c); \
             CREATE TABLE u (c int); CREATE INDEX u_c ON u (c); CREATE INDEX u_c_ccnew ON u (c)",
        )
        .unwrap();
    for index in ["other.t_b", "u_c", "u_c_ccnew"] {
        invalidate(&server, index);
    }
    let context = JobContext::system();
    let report = runner(&server, "CREATE INDEX CONCURRENTLY t_b ON t (b)").run(&context).await.unwrap();
    assert_eq!((report.applied.len(), report.removed.len(), report.finished.len()), (1, 0, 0), "{report}");
    assert_eq!(server.psql(INVALID).unwrap(), "other.t_b u_c u_c_ccnew");
}

#[tokio::test]
async fn a_build_that_fails_leaves_nothing() {
    let server = server().await;
    let context = JobContext::system();
    for sql in [
        "CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (b)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_b ON public.t (b)",
        "/* a ; b */ CREATE INDEX CONCURRENTLY t_b ON \"t\" ((1 / (b - 1)))",
    ] {
        let error = runner(&server, sql).run(&context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{sql}: {}", error.full());
        assert_eq!(server.psql(INVALID).unwrap(), "", "{sql}");
    }
}

#[tokio::test]
async fn a_rebuild_that_fails_leaves_the_index_alone() {
    let server = server().await;
    server.psql("CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'").unwrap();
    server.psql("CREATE INDEX t_f ON t (f(b))").unwrap();
    server
        .psql("CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1 / ($1 - 1)'")
        .unwrap();
    for sql in ["REINDEX INDEX CONCURRENTLY t_f", "REINDEX (CONCURRENTLY) TABLE t"] {
        let error = runner(&server, sql).run(&JobContext::system()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.full());
        assert_eq!(server.psql(INVALID).unwrap(), "", "{sql}");
    }
    assert_eq!(server.psql("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass").unwrap(), "2");
}

#[tokio::test]
async fn a_begun_migration_whose_table_is_missing_is_not_done() {
    let server = server().await;
    let context = JobContext::system();
    let check = async |sql: &str, is_done: bool| {
        let none = Arc::new(Migrator::with_migrations(Vec::new()));
        MigrationRunner::new(server.options(), none).run(&context).await.unwrap();
        server
            .psql(
                "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (1, 'step', false, '', -1)",
            )
            .unwrap();
        assert_eq!(runner(&server, sql).run(&context).await.is_ok(), is_done, "{sql}");
        server.psql("DROP TABLE _sqlx_migrations").unwrap();
    };
    check("CREATE INDEX CONCURRENTLY t_c ON missing (c)", false).await;
    check("CREATE INDEX CONCURRENTLY t_c ON t (missing)", false).await;
    check("CREATE INDEX CONCURRENTLY t_a ON t (a)", true).await;
    check("DROP INDEX CONCURRENTLY gone", true).await;
    check("ALTER TABLE missing ADD COLUMN c int", false).await;
}

#[tokio::test]
async fn limits_of_the_role_do_not_end_what_runs_outside_of_a_transaction() {
    let server = server().await;
    server
        .psql(
            "ALTER DATABASE postgres SET statement_timeout = '10min'; CREATE TABLE seen (limits text); \
             CREATE FUNCTION limits() RETURNS text LANGUAGE sql AS \
             $$ SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') $$; \
             CREATE FUNCTION tell(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'limits: %', public.limits(); END $$",
        )
        .unwrap();
    let context = JobContext::system();
    let all = |texts: &[(&str, bool)]| {
        let migrations = texts.iter().zip(1..).map(|((text, no_tx), version)| {
            let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe((*text).to_owned()));
            Migration::new(version, Cow::Borrowed("step"), MigrationType::Simple, sql, *no_tx)
        });
        MigrationRunner::new(server.options(), Arc::new(Migrator::with_migrations(migrations.collect())))
    };
    let tell = "INSERT INTO seen SELECT limits()";
    all(&[(tell, false), (tell, true), ("VACUUM t", true), (tell, false)]).run(&context).await.unwrap();
    assert_eq!(server.psql("SELECT string_agg(limits, ', ') FROM seen").unwrap(), "10min 2s, 0 2s, 10min 2s");
    let built = "CREATE INDEX CONCURRENTLY t_tell ON t (tell(a))";
    let more = all(&[(tell, false), (tell, true), ("VACUUM t", true), (tell, false), (built, true)]);
    let error = more.run(&context).await.unwrap_err();
    assert!(error.to_string().contains("limits: 0 1min"), "{}", error.full());

    let server = self::server().await;
    let slow = runner(&server, "SET statement_timeout = '1ms'; SELECT pg_sleep(60)");
    let error = slow.run(&context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    assert!(error.remedy().unwrap().contains("timeout of the role"), "{}", error.full());
}
