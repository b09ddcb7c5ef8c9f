//! Sessions through a pooler that drops the settings they rest on: kept ones get them anew, others are refused.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod pgbouncer;

use std::borrow::Cow;
use std::sync::Arc;

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{Classify as _, ErrorKind, JobContext, PostgresOptions};
use alfred_ops_maintenance::{DatabaseDoctor, DoctorPolicy, MigrationRunner};
use pgbouncer::PgBouncer;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// What a pooler is told to pass over in a login.
const DROPS: &str = "ignore_startup_parameters = extra_float_digits,options";
const REFUSES: &str = "ignore_startup_parameters = extra_float_digits";
/// It tells what limit of waiting for locks it ran under.
const MIGRATION: &str = "CREATE TABLE ran AS SELECT current_setting('lock_timeout') AS lock_timeout";

async fn server() -> PostgresServer {
    let server = PostgresServer::builder_of(PostgresBinaries::of_version(17).unwrap()).start().await.unwrap();
    server.psql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").unwrap();
    server
}

async fn examine(options: PostgresOptions) -> Result<String, alfred_ops_core::Error> {
    let diagnosis = DatabaseDoctor::new(options, DoctorPolicy::default()).examine().await;
    diagnosis.map(|diagnosis| diagnosis.to_string())
}

async fn migrate(options: PostgresOptions) -> Result<(), alfred_ops_core::Error> {
    let sql = sqlx::SqlSafeStr::into_sql_str(MIGRATION);
    let step = Migration::new(1, Cow::Borrowed("step"), MigrationType::Simple, sql, false);
    let migrator = Arc::new(Migrator::with_migrations(vec![step]));
    MigrationRunner::new(options, migrator).run(&JobContext::system()).await.map(drop)
}

#[tokio::test]
async fn a_kept_session_runs_with_its_settings_whatever_the_pooler_drops() {
    for settings in [DROPS, REFUSES] {
        let server = server().await;
        let pooler = PgBouncer::start(&server, "session", settings).await;
        // Without the search path that the doctor asked for it would be called t.
        let text = examine(pooler.options()).await.unwrap();
        assert!(text.contains("no-primary-key: public.t: "), "{settings}: {text}");
        migrate(pooler.options()).await.unwrap();
        assert_eq!(server.psql("SELECT lock_timeout FROM ran").unwrap(), "2s", "{settings}");
    }
}

#[tokio::test]
async fn a_pooler_that_changes_sessions_is_refused_however_many_it_has() {
    let server = server().await;
    for more in
        ["", "default_pool_size = 1", "min_pool_size = 5", "server_round_robin = 1\nmin_pool_size = 3"]
    {
        let pooler = PgBouncer::start(&server, "transaction", &format!("{DROPS}\n{more}")).await;
        let check = |error: alfred_ops_core::Error, kind: ErrorKind| {
            assert_eq!(error.kind(), kind, "{more}: {error}");
            let remedy = error.remedy().unwrap_or_default().to_owned();
            assert!(remedy.contains("session port"), "{more}: {error}: {remedy}");
        };
        check(examine(pooler.options()).await.unwrap_err(), ErrorKind::Unsupported);
        check(migrate(pooler.options()).await.unwrap_err(), ErrorKind::Fenced);
    }
    assert_eq!(server.psql("SELECT to_regclass('ran') IS NULL").unwrap(), "t");
}

#[tokio::test]
async fn a_pooler_that_nobody_can_tell_of_is_refused() {
    let server = server().await;
    let settings = format!("{DROPS}\ndefault_pool_size = 1\nquery_wait_timeout = 1");
    let pooler = PgBouncer::start(&server, "session", &settings).await;
    let error = examine(pooler.options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("lets no second connection in"), "{error}");
}
