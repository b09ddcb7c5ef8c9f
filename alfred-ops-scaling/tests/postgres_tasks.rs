//! The platform's table of tasks on a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::ErrorKind;
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_scaling::{PostgresTasks, SignalSource, Signals};
use chrono::{DateTime, TimeDelta, Utc};

const SCHEMA: &str = "CREATE TABLE tasks (id serial PRIMARY KEY, status text NOT NULL DEFAULT 'pending'); \
    CREATE INDEX ON tasks (status)";

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn counts(signals: &Signals) -> [Option<f64>; 3] {
    [signals.queued, signals.in_flight, signals.arrivals].map(|reading| reading.map(|reading| reading.value))
}

#[tokio::test]
async fn tasks_are_counted_by_what_becomes_of_them() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let tasks = PostgresTasks::new(server.options());
    let error = tasks.read(now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.full());
    assert!(error.to_string().contains("there is no table tasks"), "{error}");

    server.psql(SCHEMA).unwrap();
    let signals = tasks.read(now()).await.unwrap();
    assert_eq!(counts(&signals), [Some(0.0), Some(0.0), Some(0.0)], "an empty table is zero, not unknown");

    server.psql("INSERT INTO tasks (status) SELECT 'pending' FROM generate_series(1, 40)").unwrap();
    server.psql("UPDATE tasks SET status = 'processing' WHERE id <= 7").unwrap();
    server.psql("UPDATE tasks SET status = 'completed' WHERE id <= 3").unwrap();
    let signals = tasks.read(now()).await.unwrap();
    assert_eq!(counts(&signals)[..2], [Some(33.0), Some(4.0)]);
    assert_eq!(signals.queued.unwrap().at, now());

    // A task that ends or is removed has still come.
    server.psql("DELETE FROM tasks").unwrap();
    let signals = tasks.read(now()).await.unwrap();
    assert_eq!(counts(&signals), [Some(0.0), Some(0.0), Some(40.0)]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_anew() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server.psql(SCHEMA).unwrap();
    let tasks = PostgresTasks::new(server.options());
    tasks.read(now()).await.unwrap();
    let killed = server
        .psql("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'alfred-ops scaling'")
        .unwrap();
    assert_eq!(killed, "1");
    // The first look finds the broken connection, the next has another.
    let first = tasks.read(now()).await;
    assert!(first.is_err_and(|error| !error.full().contains("password")));
    assert_eq!(counts(&tasks.read(now()).await.unwrap())[0], Some(0.0));
}
