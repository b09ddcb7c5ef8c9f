//! `opsctl migrations` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use alfred_ops_core::testing::servers::PostgresServer;
use serde_json::Value;
use tempfile::TempDir;

fn write(folder: &TempDir, name: &str, sql: &str) {
    std::fs::write(folder.path().join(name), sql).unwrap();
}

fn migrations(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_opsctl")).arg("migrations").args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn dangers_are_told_with_what_to_write_instead() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        "0001_tasks.sql",
        "CREATE TABLE tasks (id bigint PRIMARY KEY);\nCREATE INDEX tasks_id ON tasks (id);\n",
    );
    write(&folder, "0001_tasks.down.sql", "DROP TABLE tasks;\n");
    let output = migrations(&["check", path(folder.path())]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "nothing dangerous found\n");

    write(
        &folder,
        "0002_status.sql",
        "ALTER TABLE tasks ADD COLUMN status text;\n\nCREATE INDEX tasks_status ON tasks (status);\n",
    );
    let output = migrations(&["check", path(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let end = "0002_status.sql:3:1: blocks: writes to the table wait until the index is built; \
               CREATE INDEX CONCURRENTLY, in a migration without a transaction [index-not-concurrent]\n";
    assert!(text.ends_with(end) && text.lines().count() == 1, "{text}");

    let output = migrations(&["check", "--json", path(&folder.path().join("0002_status.sql"))]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["findings"][0]["table"], &json["findings"][0]["line"]), (&"tasks".into(), &3.into()));
    let output = migrations(&["check", "nowhere.sql"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("nowhere.sql"));
}

#[tokio::test]
async fn what_is_planned_is_run_and_then_there_is_nothing() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    let folder = TempDir::new().unwrap();
    write(&folder, "0001_tasks.sql", "CREATE TABLE tasks (id bigint PRIMARY KEY, status text)");
    write(
        &folder,
        "0002_status.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY tasks_status ON tasks (status)",
    );
    let say = |what: &str| {
        let output = migrations(&[what, path(folder.path()), "--server", &url]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(say("plan"), "apply 1 tasks; apply 2 status\n");
    assert!(say("run").starts_with("2 applied, 0 finished"));
    assert_eq!(say("plan"), "nothing to migrate\n");
    assert_eq!(server.psql("SELECT count(*) FROM pg_indexes WHERE indexname = 'tasks_status'").unwrap(), "1");
}

#[tokio::test]
async fn a_query_that_does_not_fit_the_new_schema_is_told() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    let (folder, queries) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(&folder, "0001_tasks.sql", "CREATE TABLE tasks (id bigint PRIMARY KEY, note text)");
    write(&folder, "0002_note.sql", "ALTER TABLE tasks DROP COLUMN note");
    write(&queries, "query-1.json", r#"{"query":"SELECT note FROM tasks WHERE id = $1"}"#);
    let (folder, queries) = (path(folder.path()), path(queries.path()));
    let check = |applied: &str| {
        migrations(&["compatible", folder, "--applied", applied, "--scratch", &url, "--old", queries])
    };
    let output = check("1");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("1 queries on the schema after 1 migrations: 1 do not fit\nold application, "),
        "{text}"
    );
    let output = migrations(&["compatible", folder, "--applied", "0", "--scratch", &url, "--new", queries]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("new application, SELECT note"));
    assert!(String::from_utf8(check("0").stdout).unwrap().contains("today already"));
}
