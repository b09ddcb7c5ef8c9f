//! Partitions that wait, that others detach, and that are to stay after all.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{JobContext, MemoryStateStore, TaskSet};
use alfred_ops_maintenance::{Caretaker, ChoreOutcome, ChorePlan as _, Retention, RetentionPolicy};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::postgres::{VERSIONS, server};
use super::{caretaker, run};

const HOUR: u64 = 3600;

/// Puts the mark on a table that a run which died meant to drop, with rows before `to`.
pub(crate) fn marked(table: &str, to: &str) -> String {
    let begins =
        "alfred-ops: expired partition of \"public\".\"processed_msgs\", to be dropped, rows before ";
    format!(
        "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE {table} IS %L', '{begins}' || \
         to_char({to}, 'YYYY-MM-DD\"T00:00:00.000000Z\"')); END $$"
    )
}

fn days(server: &PostgresServer) {
    server
        .psql(
            "SET timezone = 'UTC'; \
             CREATE TABLE processed_msgs (message_id text, processed_at timestamptz NOT NULL) PARTITION BY RANGE (processed_at); \
             DO $$ BEGIN FOR d IN 0..5 LOOP EXECUTE format('CREATE TABLE day_%s PARTITION OF processed_msgs \
             FOR VALUES FROM (%L) TO (%L)', d, current_date - d, current_date - d + 1); END LOOP; END $$; \
             INSERT INTO processed_msgs SELECT g, current_date - g % 6 FROM generate_series(1, 600) g",
        )
        .unwrap();
}

fn left(server: &PostgresServer) -> String {
    let names = "SELECT string_agg(relname, ' ' ORDER BY 1) FROM pg_class WHERE relname LIKE 'day_%'";
    server.psql(names).unwrap()
}

fn keeping(server: &PostgresServer, hours: u64) -> Caretaker<Retention> {
    let mut policy = RetentionPolicy::processed_msgs();
    policy.keep = Duration::from_secs(hours * HOUR);
    Retention::new(server.options(), policy).caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

/// Somebody begins to detach a partition by hand and does not wait for the end.
async fn half_detached(server: &PostgresServer, partition: &str) {
    let mut reader = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
    reader.execute("BEGIN; SELECT FROM processed_msgs LIMIT 1").await.unwrap();
    let mut person = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
    person.execute("SET lock_timeout = 100").await.unwrap();
    let detach = format!("ALTER TABLE processed_msgs DETACH PARTITION {partition} CONCURRENTLY");
    person.execute(sqlx::AssertSqlSafe(detach)).await.unwrap_err();
    reader.execute("COMMIT").await.unwrap();
    let pending = server.psql("SELECT count(*) FROM pg_inherits WHERE inhdetachpending").unwrap();
    assert_eq!(pending, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detachment_outlasts_transactions_that_take_longer_than_a_lock_may() {
    for version in VERSIONS {
        let server = server(version).await;
        days(&server);
        let mut reader = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
        reader.execute("BEGIN; SELECT FROM processed_msgs LIMIT 1").await.unwrap();
        let tasks = TaskSet::new(&CancellationToken::new());
        let caretaker = caretaker(&server);
        let ran = tasks.spawn(async move { run(&caretaker).await });
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%CONCURRENTLY' \
            AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '2.5 s'";
        while server.psql(waits).unwrap() != "1" {
            assert!(!ran.is_finished(), "{version}: {:?}", ran.await);
        }
        reader.execute("COMMIT").await.unwrap();
        let record = ran.await.unwrap();
        assert_eq!(record.outcome, ChoreOutcome::Finished, "{version}: {record:?}");
        assert_eq!(left(&server), "day_0 day_1 day_2");
    }
}

#[tokio::test]
async fn what_a_longer_span_keeps_loses_its_mark_and_what_people_detach_then_stays() {
    for version in VERSIONS {
        let server = server(version).await;
        days(&server);
        // As a run leaves it that is killed before the detachment begins; then people keep rows for longer.
        server.psql(&marked("day_5", "current_date - 4")).unwrap();
        server.psql(&marked("day_4", "current_date - 3")).unwrap();
        server.psql("ALTER TABLE processed_msgs DETACH PARTITION day_4").unwrap();
        let longer = keeping(&server, 30 * 24);
        let plan = longer.plan(&JobContext::system()).await.unwrap();
        let line = "\"public\".\"day_5\" stays: take off the mark that an earlier run left on it";
        assert_eq!(plan.to_string(), line, "{version}");
        let record = run(&longer).await;
        assert_eq!(
            (&record.outcome, record.figures.work),
            (&ChoreOutcome::Finished, 0),
            "{version}: {record:?}"
        );
        assert_eq!(left(&server), "day_0 day_1 day_2 day_3 day_4 day_5", "a detached one is kept as long");

        server.psql("ALTER TABLE processed_msgs DETACH PARTITION day_5").unwrap();
        let record = run(&keeping(&server, 48)).await;
        assert_eq!(record.outcome, ChoreOutcome::Finished, "{version}: {record:?}");
        assert_eq!(left(&server), "day_0 day_1 day_2 day_5", "{version}: what people detached stays");
    }
}

#[tokio::test]
async fn a_detachment_that_fails_leaves_no_mark() {
    let server = server(17).await;
    days(&server);
    // Detaching would break what refers to it.
    server
        .psql(
            "ALTER TABLE processed_msgs ADD PRIMARY KEY (message_id, processed_at); \
             CREATE TABLE refers (m text, p timestamptz, FOREIGN KEY (m, p) REFERENCES processed_msgs); \
             INSERT INTO refers SELECT * FROM day_5 LIMIT 1",
        )
        .unwrap();
    let caretaker = caretaker(&server);
    let ended = caretaker.run(&JobContext::system()).await;
    let marks = "SELECT count(*) FROM pg_description WHERE description LIKE 'alfred-ops%'";
    assert_eq!(server.psql(marks).unwrap(), "0", "{ended:?}");
    assert!(left(&server).contains("day_5"), "{ended:?}");
}

#[tokio::test]
async fn what_others_detach_is_left_to_them_and_told() {
    let server = server(18).await;
    days(&server);
    half_detached(&server, "day_5").await;
    let caretaker = caretaker(&server);
    let record = run(&caretaker).await;
    let ChoreOutcome::Ineffective { reason } = &record.outcome else { panic!("{record:?}") };
    let finish = "ALTER TABLE \"public\".\"processed_msgs\" DETACH PARTITION \"public\".\"day_5\" FINALIZE";
    assert!(reason.contains(finish), "{reason}");
    assert_eq!(left(&server), "day_0 day_1 day_2 day_3 day_4 day_5");
    server.psql(finish).unwrap();
    let record = run(&caretaker).await;
    assert_eq!(record.outcome, ChoreOutcome::Finished, "{record:?}");
    assert_eq!(left(&server), "day_0 day_1 day_2 day_5");
    assert!(caretaker.plan(&JobContext::system()).await.unwrap().obstacles().is_empty());
}

#[tokio::test]
async fn a_run_that_died_in_the_middle_of_a_detachment_is_finished_by_the_next() {
    for version in VERSIONS {
        let server = server(version).await;
        days(&server);
        server.psql(&marked("day_5", "current_date - 4")).unwrap();
        half_detached(&server, "day_5").await;
        let record = run(&caretaker(&server)).await;
        assert_eq!(record.outcome, ChoreOutcome::Finished, "{version}: {record:?}");
        assert!(
            record.plan.contains("finish detaching and drop partition \"public\".\"day_5\""),
            "{record:?}"
        );
        assert_eq!(left(&server), "day_0 day_1 day_2", "{version}");
    }
}
