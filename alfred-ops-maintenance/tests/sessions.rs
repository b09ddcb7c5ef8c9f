//! Sessions that keep others from working, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod hooked;
mod postgres;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{JobContext, MemoryStateStore, TaskSet};
use alfred_ops_maintenance::{Caretaker, ChoreOutcome, ChoreRecord, SessionCare, SessionPolicy};
use hooked::Hooked;
use postgres::{VERSIONS, server};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::Mutex;
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

/// A run in which something happens between the plan and the work.
async fn run_while(
    server: &PostgresServer,
    policy: SessionPolicy,
    happens: impl Future<Output = ()> + Send + 'static,
) -> ChoreRecord {
    let care = Hooked::new(SessionCare::new(server.options().with_user("ops", None), policy), happens);
    let caretaker = Caretaker::builder(care, Arc::new(MemoryStateStore::default())).build().unwrap();
    caretaker.run(&JobContext::system()).await.unwrap().record().unwrap().clone()
}

/// Idle sessions are too many from the first on, as soon as they are idle for 50 ms.
fn no_room() -> SessionPolicy {
    let mut policy = SessionPolicy::default().with_patience(LATER, LATER);
    (policy.connections_share, policy.idle_min) = (0.0, Duration::from_millis(50));
    policy
}

const IDLE: &str = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle' \
    AND state_change < clock_timestamp() - interval '100 ms'";
const WAIT: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";

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
    until(&server, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'", "2");
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

#[tokio::test]
async fn who_has_gone_on_since_is_not_ended() {
    for version in VERSIONS {
        let server = prepared(version).await;
        let app = Arc::new(Mutex::new(connect(&server, "app").await));
        let goes_on = || {
            let app = Arc::clone(&app);
            async move {
                app.lock().await.execute("SELECT 1").await.unwrap();
            }
        };
        app.lock().await.execute("BEGIN; SELECT count(*) FROM t").await.unwrap();
        until(&server, &IDLE.replace("'idle'", "'idle in transaction'"), "1");
        let patience = SessionPolicy::default().with_patience(LATER, Duration::from_millis(50));
        let record = run_while(&server, patience, goes_on()).await;
        assert!(record.plan.contains("it has done nothing within a transaction"), "{version}: {record:?}");
        assert_eq!(record.figures.work, 0, "{version}: {record:?}");
        goes_on().await;

        app.lock().await.execute("ROLLBACK").await.unwrap();
        until(&server, IDLE, "1");
        let record = run_while(&server, no_room(), goes_on()).await;
        assert!(record.plan.contains("connections are in use, and it is idle"), "{version}: {record:?}");
        assert_eq!(record.figures.work, 0, "{version}: {record:?}");
        goes_on().await;
        until(&server, IDLE, "1");
        let record = run(&caretaker(&server, no_room())).await;
        assert_eq!(record.figures.work, 1, "{version}: it stayed idle: {record:?}");
        assert!(record.plan.contains("terminate session"), "{version}: {record:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_whose_waiters_have_gone_is_not_ended() {
    for version in VERSIONS {
        let server = Arc::new(prepared(version).await);
        let mut head = connect(&server, "app").await;
        head.execute("BEGIN; UPDATE t SET x = 2").await.unwrap();
        let set = TaskSet::new(&CancellationToken::new());
        let mut victim = connect(&server, "app").await;
        let waits = set.spawn(async move { victim.execute("UPDATE t SET x = 3").await.is_err() });
        until(&server, WAIT, "1");
        let also = Arc::clone(&server);
        let policy = SessionPolicy::default().with_patience(NOW, LATER);
        let record = run_while(&server, policy, async move {
            also.psql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                .unwrap();
            until(&also, WAIT, "0");
        })
        .await;
        assert!(record.plan.contains("1 wait for it"), "{version}: {record:?}");
        assert_eq!((record.figures.work, record.outcome), (0, ChoreOutcome::Finished), "{version}");
        assert!(waits.await.unwrap());
        head.execute("COMMIT").await.unwrap();
    }
}

#[tokio::test]
async fn who_listens_or_holds_an_advisory_lock_makes_no_room() {
    let server = prepared(17).await;
    let mut apps = Vec::new();
    for statement in ["LISTEN news", "SELECT pg_advisory_lock(7)", "SELECT 'listener'"] {
        let mut app = connect(&server, "app").await;
        app.execute(statement).await.unwrap();
        apps.push(app);
    }
    until(&server, IDLE, "3");
    let record = run(&caretaker(&server, no_room())).await;
    assert_eq!(record.figures.work, 1, "{record:?}");
    let told = record.outcome.to_string();
    assert!(told.contains("but 2 that listen or hold advisory locks"), "{told}");
    for (number, app) in apps.iter_mut().enumerate() {
        assert_eq!(app.execute("SELECT 1").await.is_ok(), number < 2, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dumps_and_copies_are_maintenance() {
    for version in VERSIONS {
        let server = prepared(version).await;
        let mut dump = connect(&server, "app").await;
        dump.execute("SET application_name = 'pg_dump'; BEGIN; LOCK TABLE t IN ACCESS SHARE MODE")
            .await
            .unwrap();
        let mut loader = connect(&server, "app").await;
        let copy = loader.copy_in_raw("COPY t FROM STDIN").await.unwrap();
        let set = TaskSet::new(&CancellationToken::new());
        let mut victim = connect(&server, "app").await;
        let waits = set.spawn(async move { victim.execute("BEGIN; LOCK TABLE t; COMMIT").await.unwrap() });
        until(&server, WAIT, "1");
        let record = run(&caretaker(&server, SessionPolicy::default().with_patience(NOW, NOW))).await;
        assert!(record.plan.starts_with("no session to end"), "{version}: {record:?}");
        assert_eq!(record.plan.matches("it does maintenance").count(), 2, "{version}: {record:?}");
        copy.finish().await.unwrap();
        dump.execute("COMMIT").await.unwrap();
        waits.await.unwrap();
    }
}
