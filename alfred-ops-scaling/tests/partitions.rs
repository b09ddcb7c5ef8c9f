//! Partitions of a real table.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{ErrorKind, JobContext, SimulatedClock};
use alfred_ops_scaling::{PartitionPolicy, PartitionStep, PostgresPartitions};
use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

const SCHEMA: &str = "CREATE TABLE processed_msgs (message_id text, processed_at timestamptz NOT NULL DEFAULT now(), \
    PRIMARY KEY (message_id, processed_at)) PARTITION BY RANGE (processed_at)";

fn at(time: &str) -> JobContext {
    let time: DateTime<Utc> = time.parse().unwrap();
    JobContext::system().with_clock(Arc::new(SimulatedClock::starting_at(time)))
}

async fn server() -> PostgresServer {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server.psql(SCHEMA).unwrap();
    server
}

fn attached(server: &PostgresServer) -> String {
    server
        .psql("SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text) FROM pg_inherits \
               WHERE inhparent = 'processed_msgs'::regclass")
        .unwrap()
}

#[tokio::test]
async fn they_are_made_ahead_and_detached_and_nothing_is_dropped() {
    let server = server().await;
    let partitions = PostgresPartitions::new(server.options(), PartitionPolicy::processed_msgs()).unwrap();
    let plan = partitions.plan(&at("2026-01-01T10:00:00Z")).await.unwrap();
    assert_eq!(plan.steps.len(), 4, "{plan}");
    assert_eq!(attached(&server), "", "a plan changes nothing");
    partitions.run(&at("2026-01-01T10:00:00Z")).await.unwrap();
    assert_eq!(
        attached(&server),
        "processed_msgs_20260101_00 processed_msgs_20260102_00 processed_msgs_20260103_00 processed_msgs_20260104_00"
    );
    let again = partitions.run(&at("2026-01-01T11:00:00Z")).await.unwrap();
    assert_eq!(again.to_string(), "nothing to do");
    server
        .psql("INSERT INTO processed_msgs SELECT g, timestamptz '2026-01-01 00:00+00' + g * interval '1 hour' FROM generate_series(0, 90) g")
        .unwrap();

    // The first of January ended two days before.
    let plan = partitions.run(&at("2026-01-04T00:00:00Z")).await.unwrap();
    let gone = PartitionStep::Detach { name: "processed_msgs_20260101_00".to_owned() };
    assert!(plan.steps.contains(&gone) && plan.steps.len() == 4, "{plan}");
    assert_eq!(server.psql("SELECT count(*) FROM processed_msgs").unwrap(), "67");
    assert_eq!(server.psql("SELECT count(*) FROM processed_msgs_20260101_00").unwrap(), "24");
    // The primary key is that of the table.
    assert!(server.psql("INSERT INTO processed_msgs VALUES ('80', '2026-01-04 08:00+00')").is_err());
}

#[tokio::test]
async fn a_detachment_that_a_reader_holds_up_is_finished_later() {
    let server = server().await;
    let partitions = PostgresPartitions::new(server.options(), PartitionPolicy::processed_msgs()).unwrap();
    partitions.run(&at("2026-01-01T00:00:00Z")).await.unwrap();
    let options: PgConnectOptions = server.options().to_url().expose().parse().unwrap();
    let mut reader = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM processed_msgs").execute(&mut reader).await.unwrap();
    let later = at("2026-01-04T00:00:00Z");
    let error = partitions.run(&later).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    // Writers were not held up, and the next partitions are there.
    server.psql("INSERT INTO processed_msgs VALUES ('new', '2026-01-06 08:00+00')").unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut reader).await.unwrap();
    let plan = partitions.run(&later).await.unwrap();
    let finish = PartitionStep::Finish { name: "processed_msgs_20260101_00".to_owned() };
    let detach = PartitionStep::Detach { name: "processed_msgs_20260101_00".to_owned() };
    assert!(plan.steps == [finish] || plan.steps == [detach], "{plan}");
    assert!(!attached(&server).contains("20260101"));
}

#[tokio::test]
async fn what_cannot_be_partitioned_is_refused_and_a_default_partition_is_an_obstacle() {
    let server = server().await;
    server.psql("CREATE TABLE plain (at timestamptz)").unwrap();
    let policy = |table: &str| PartitionPolicy::daily(table, Duration::from_secs(3600));
    for (table, kind) in [("plain", ErrorKind::Unsupported), ("missing", ErrorKind::NotFound)] {
        let partitions = PostgresPartitions::new(server.options(), policy(table)).unwrap();
        let error = partitions.plan(&at("2026-01-01T00:00:00Z")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.full());
        assert!(error.to_string().contains(table), "{error}");
    }
    server.psql("CREATE TABLE rest PARTITION OF processed_msgs DEFAULT").unwrap();
    let partitions = PostgresPartitions::new(server.options(), PartitionPolicy::processed_msgs()).unwrap();
    partitions.run(&at("2026-01-01T00:00:00Z")).await.unwrap();
    server.psql("INSERT INTO processed_msgs VALUES ('old', '2020-01-01')").unwrap();
    let plan = partitions.run(&at("2026-01-09T00:00:00Z")).await.unwrap().to_string();
    for part in ["rows lie in the default partition rest", "processed_msgs_20260101_00 stays"] {
        assert!(plan.contains(part), "{part} in {plan}");
    }
    assert!(attached(&server).contains("20260101"));
}
