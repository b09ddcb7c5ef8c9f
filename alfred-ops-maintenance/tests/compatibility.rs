//! Queries of two applications on a schema that changes, on a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::borrow::Cow;
use std::fs;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{ErrorKind, JobContext};
use alfred_ops_maintenance::{Compatibility, CompatibilityReport};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tempfile::TempDir;

const FIRST: &str = "CREATE TYPE state AS ENUM ('new', 'done'); \
    CREATE TABLE tasks (id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'new', note text, tries int); \
    CREATE TABLE other (x int)";

async fn server() -> PostgresServer {
    PostgresServer::builder().unwrap().start().await.unwrap()
}

fn migrator(texts: &[&str]) -> Migrator {
    let migrations = texts.iter().zip(1..).map(|(text, version)| {
        let no_tx = text.starts_with("-- no-transaction");
        let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe((*text).to_owned()));
        Migration::new(version, Cow::Owned(format!("step {version}")), MigrationType::Simple, sql, no_tx)
    });
    Migrator::with_migrations(migrations.collect())
}

async fn check(server: &PostgresServer, second: &str, old: &str) -> CompatibilityReport {
    let check = Compatibility::default().old_query("q", old);
    check.check(&server.options(), &migrator(&[FIRST, second]), 1, &JobContext::system()).await.unwrap()
}

fn databases(server: &PostgresServer) -> String {
    server.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'alfred_ops_scratch%'").unwrap()
}

#[tokio::test]
async fn what_does_not_fit_is_told_and_what_fits_is_not() {
    let server = server().await;
    let insert = "INSERT INTO tasks (id, note) VALUES ($1, $2)";
    let claim = "UPDATE tasks SET status = 'done' WHERE id = $1 RETURNING id, status";
    for (second, old, expected) in [
        (
            "ALTER TABLE tasks DROP COLUMN note",
            insert,
            "column \"note\" of relation \"tasks\" does not exist; take away",
        ),
        ("ALTER TABLE tasks RENAME TO jobs", claim, "relation \"tasks\" does not exist; take away"),
        (
            "ALTER TABLE tasks ALTER status DROP DEFAULT, ALTER status TYPE state USING status::state",
            claim,
            "it returns id int8, status state and not id int8, status text",
        ),
        ("ALTER TABLE tasks ALTER id TYPE text", claim, "it takes text and not int8"),
        (
            "ALTER TABLE tasks ADD COLUMN owner text NOT NULL",
            insert,
            "it inserts into public.tasks without owner, which is NOT NULL",
        ),
        ("ALTER TABLE tasks ALTER tries SET NOT NULL", insert, "without tries, which"),
        ("DROP TYPE state", "SELECT $1::state", "type \"state\" does not exist"),
        ("SELECT 1", "SELECT nothing FROM tasks", "today already; give the queries"),
    ] {
        let report = check(&server, second, old).await;
        assert!(!report.is_compatible() && report.to_string().contains(expected), "{second}: {report}");
    }
    for (second, old) in [
        ("ALTER TABLE tasks ADD COLUMN owner text", insert),
        ("ALTER TABLE tasks ADD COLUMN owner text NOT NULL DEFAULT 'us'", insert),
        ("ALTER TABLE tasks ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY", insert),
        ("ALTER TABLE tasks ADD COLUMN owner text", "SELECT * FROM tasks"),
        ("CREATE TABLE more (y int NOT NULL)", "INSERT INTO other (x) VALUES (1)"),
        ("ALTER TABLE tasks ALTER tries SET NOT NULL", "INSERT INTO tasks (id, tries) VALUES (1, 2)"),
        ("ALTER TABLE tasks DROP COLUMN note", claim),
        ("-- no-transaction\nCREATE INDEX CONCURRENTLY tasks_note ON tasks (note)", insert),
    ] {
        let report = check(&server, second, old).await;
        assert_eq!(report.to_string(), "1 queries on the schema after 1 migrations: all fit", "{second}");
    }
    assert_eq!(databases(&server), "0");
}

#[tokio::test]
async fn a_new_application_is_checked_on_the_new_schema_only_and_its_queries_may_come_from_sqlx() {
    let server = server().await;
    let folder = TempDir::new().unwrap();
    let prepared =
        |sql: &str| format!(r#"{{"db_name":"PostgreSQL","query":"{sql}","describe":{{}},"hash":"x"}}"#);
    fs::write(folder.path().join("query-1.json"), prepared("SELECT owner FROM tasks")).unwrap();
    fs::write(folder.path().join("query-2.json"), prepared("SELECT boss FROM tasks")).unwrap();
    fs::write(folder.path().join("readme.txt"), "no query").unwrap();
    let check = Compatibility::default().new_queries_of_sqlx(folder.path()).unwrap();
    let migrator = migrator(&[FIRST, "ALTER TABLE tasks ADD COLUMN owner text"]);
    let report = check.check(&server.options(), &migrator, 1, &JobContext::system()).await.unwrap();
    assert_eq!((report.queries, report.migrations.as_slice()), (2, &[2][..]));
    let text = report.to_string();
    let expected =
        "new application, SELECT boss FROM tasks: column \"boss\" does not exist; the migrations do not make";
    assert!(report.findings.len() == 1 && text.contains(expected), "{text}");

    fs::write(folder.path().join("query-3.json"), "{").unwrap();
    let error = Compatibility::default().new_queries_of_sqlx(folder.path()).unwrap_err();
    assert!(error.full().contains("query-3.json"), "{}", error.full());
    let error = Compatibility::default().old_queries_of_sqlx(folder.path().join("none")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_a_check_needs_is_told_and_what_a_broken_one_left_goes() {
    let server = server().await;
    server.psql("CREATE DATABASE alfred_ops_scratch_left").unwrap();
    server.psql("CREATE ROLE guest LOGIN").unwrap();
    let context = JobContext::system();
    let check = Compatibility::default();
    let guest = server.options().with_user("guest", None);
    let error = check.check(&guest, &migrator(&[FIRST]), 1, &context).await.unwrap_err();
    assert!(error.full().contains("CREATE DATABASE"), "{}", error.full());
    let broken = migrator(&["CREATE TABLE t (x nonsense)"]);
    let error = check.check(&server.options(), &broken, 1, &context).await.unwrap_err();
    assert!(error.full().contains("migration 1 cannot be applied"), "{}", error.full());
    assert_eq!(databases(&server), "0");
}
