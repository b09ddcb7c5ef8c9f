//! Retention on a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{ErrorKind, JobContext, SimulatedClock};
use alfred_ops_maintenance::{Retention, RetentionPlan, RetentionPolicy};
use chrono::{DateTime, Utc};

const SCHEMA: &str = "CREATE TABLE processed_msgs (message_id text PRIMARY KEY, \
    processed_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON processed_msgs (processed_at)";

async fn server() -> PostgresServer {
    let server =
        PostgresServer::builder().unwrap().setting("max_prepared_transactions", "2").start().await.unwrap();
    server.psql(SCHEMA).unwrap();
    server
}

/// One message a minute, the last at this time, 100 hours back.
fn filled_until(server: &PostgresServer) -> DateTime<Utc> {
    server
        .psql(
            "INSERT INTO processed_msgs SELECT g, timestamptz '2026-01-10 00:00:00+00' - g * interval '1 minute' \
             FROM generate_series(0, 5999) g",
        )
        .unwrap();
    "2026-01-10T00:00:00Z".parse().unwrap()
}

fn policy() -> RetentionPolicy {
    RetentionPolicy::processed_msgs().with_pause(Duration::ZERO).with_batch_rows(500).unwrap()
}

fn context_at(now: DateTime<Utc>) -> JobContext {
    JobContext::system().with_clock(Arc::new(SimulatedClock::starting_at(now)))
}

#[tokio::test]
async fn exactly_the_expired_rows_go() {
    let server = server().await;
    let context = context_at(filled_until(&server));
    server.psql("UPDATE processed_msgs SET processed_at = '-infinity' WHERE message_id = '5999'").unwrap();
    let retention = Retention::new(server.options(), policy());
    let plan = retention.plan(&context).await.unwrap();
    assert!(matches!(plan, RetentionPlan::Delete { .. }), "{plan}");
    assert_eq!(server.psql("SELECT count(*) FROM processed_msgs").unwrap(), "6000", "a plan changes nothing");

    let report = retention.run(&context).await.unwrap();
    // 48 hours hold 2,881 messages, the one that is exactly 48 hours old included.
    assert_eq!((report.rows, report.rows_left), (6000 - 2881, 0));
    assert_eq!(report.batches, 7);
    assert_eq!(
        server
            .psql("SELECT count(*) || ' ' || min(processed_at AT TIME ZONE 'utc') FROM processed_msgs")
            .unwrap(),
        "2881 2026-01-08 00:00:00"
    );
    let again = retention.run(&context).await.unwrap();
    assert_eq!(again.rows, 0);
    assert!(again.plan.to_string().starts_with("nothing to delete"), "{}", again.plan);
}

#[tokio::test]
async fn rows_that_somebody_holds_stay_for_the_next_run() {
    let server = server().await;
    let context = context_at(filled_until(&server));
    // A prepared transaction holds its locks without a session.
    server
        .psql("BEGIN; DELETE FROM processed_msgs WHERE message_id IN ('5000', '5001'); PREPARE TRANSACTION 'held'")
        .unwrap();
    let report = Retention::new(server.options(), policy()).run(&context).await.unwrap();
    assert_eq!((report.rows, report.rows_left), (6000 - 2881 - 2, 2));
}

#[tokio::test]
async fn a_cancelled_run_stops_between_batches() {
    let server = server().await;
    let context = context_at(filled_until(&server));
    context.cancel.cancel();
    let report = Retention::new(server.options(), policy()).run(&context).await.unwrap();
    assert!(report.stopped_early);
    assert_eq!(report.rows, 0);
}

#[tokio::test]
async fn mistakes_are_named() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let context = JobContext::system();
    let error = Retention::new(server.options(), policy()).run(&context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("\"public\".\"processed_msgs\" at postgres://"), "{error}");
    server.psql("CREATE TABLE processed_msgs (message_id text)").unwrap();
    let error = Retention::new(server.options(), policy()).run(&context).await.unwrap_err();
    assert!(error.to_string().contains("no column \"processed_at\""), "{error}");
    server.psql("DROP TABLE processed_msgs; CREATE ROLE guest LOGIN").unwrap();
    server.psql(SCHEMA).unwrap();
    let guest = server.options().with_user("guest", None);
    let error = Retention::new(guest, policy()).run(&context).await.unwrap_err();
    assert!(error.to_string().contains("grant SELECT, UPDATE and DELETE"), "{error}");
    assert!(policy().with_batch_rows(0).unwrap_err().to_string().contains("batch_rows: 0"));
}
