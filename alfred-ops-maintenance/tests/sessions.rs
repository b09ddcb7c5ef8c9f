//! Sessions that keep others from working, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod postgres;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{JobContext, MemoryStateStore, TaskSet};
use alfred_ops_maintenance::{Caretaker, ChoreRecord, SessionCare, SessionPolicy};
use postgres::{VERSIONS, server};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

const NOW: Duration = Duration::from_millis(1);
const LATER: Duration = Duration::from_secs(3600);

fn caretaker(server: &PostgresServer, policy: SessionPolicy) -> Caretaker<SessionCare> {
    let care = SessionCare::new(server.options().with_user("ops", None), policy);
    care.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

async fn run(caretaker: &Caretaker<SessionCare>) -> ChoreRecord {
    caretaker.run(&JobContext::system()).await.unwrap().record().unwrap().clone()
}

async fn connect(server: &PostgresServer, role: &str) -> PgConnection {
    let url = server.options().with_user(role, None).with_application_name("agent").to_url();
    PgConnection::connect(url.expose()).await.unwrap()
}

async fn prepared(version: u32) -> PostgresServer {
    let server = server(version).await;
    server
        .psql(
            "CREATE ROLE app LOGIN; CREATE ROLE billing LOGIN; CREATE ROLE ops LOGIN; \
             GRANT pg_signal_backend, pg_read_all_stats TO ops; CREATE TABLE t AS SELECT 1 AS x; \
             GRANT ALL ON t TO app, billing",
        )
        .unwrap();
    server
}

fn until(server: &PostgresServer, sql: &str, answer: &str) {
    while server.psql(sql).unwrap() != answer {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_of_a_queue_is_cancelled_or_terminated_and_its_victims_go_on() {
    for version in VERSIONS {
        let server = prepared(version).await;
        for (statement, told) in [("SELECT pg_sleep(3600)", "was cancelled"), ("SELECT 1", "was terminated")]
        {
            let mut head = connect(&server, "app").await;
            head.execute("BEGIN; UPDATE t SET x = 2").await.unwrap();
            let set = TaskSet::new(&CancellationToken::new());
            let busy = set.spawn(async move {
                let done = head.execute(statement).await;
                (head, done.is_ok())
            });
            let mut victims = Vec::new();
            for _ in 0..2 {
                let mut victim = connect(&server, "app").await;
                victims.push(set.spawn(async move {
                    victim.execute("UPDATE t SET x = 3").await.unwrap().rows_affected()
                }));
            }
            until(&server, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "2");
            if statement == "SELECT 1" {
                until(
                    &server,
                    "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'",
                    "1",
                );
            }
            let care = caretaker(&server, SessionPolicy::default().with_patience(NOW, LATER));
            let record = run(&care).await;
            assert_eq!(record.figures.work, 1, "{version}: {record:?}");
            assert!(record.figures.notes[0].contains(told), "{version}: {record:?}");
            for victim in victims {
                assert_eq!(victim.await.unwrap(), 1, "{version}: nobody else was ended");
            }
            let (head, fine) = busy.await.unwrap();
            assert_eq!(fine, statement == "SELECT 1");
            drop(head);
        }
    }
}

#[tokio::test]
async fn idle_transactions_end_protected_ones_stay_and_missing_rights_are_told() {
    let server = prepared(17).await;
    let (mut app, mut billing) = (connect(&server, "app").await, connect(&server, "billing").await);
    for session in [&mut app, &mut billing] {
        session.execute("BEGIN; SELECT count(*) FROM t").await.unwrap();
    }
    let policy = SessionPolicy::default().with_patience(LATER, NOW).with_protected_role("billing");
    let care = caretaker(&server, policy.clone());
    let record = run(&care).await;
    assert_eq!(record.figures.work, 1, "{record:?}");
    assert!(
        record.plan.contains("terminate session") && record.plan.contains("the policy protects it"),
        "{}",
        record.plan
    );
    assert!(app.execute("SELECT 1").await.is_err());
    billing.execute("SELECT 1").await.unwrap();
    server.psql("REVOKE pg_signal_backend FROM ops").unwrap();
    let record = run(&care).await;
    assert!(record.outcome.to_string().contains("run GRANT pg_signal_backend TO \"ops\""), "{record}");
}
