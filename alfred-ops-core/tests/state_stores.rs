//! The durable state stores keep the same contract as the one in memory.

use std::time::Duration;

use alfred_ops_core::testing::conformance;
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    Clock as _, ErrorKind, Expected, Fence, PostgresStateStore, Retry, SimulatedClock, SqliteStateStore,
    StateLeases, StateStore, SystemClock, Write,
};
use chrono::DateTime;
use serde_json::json;
use sqlx::Connection as _;

#[tokio::test]
async fn sqlite_conforms_and_keeps_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ops.db");
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let store = SqliteStateStore::open(&path, clock.shared()).await.unwrap();
    conformance::state_store(&store).await;
    let pass = || {
        let clock = clock.clone();
        async move { clock.advance(Duration::from_secs(1)) }
    };
    conformance::lease_store(&StateLeases::new(store.clone(), clock.shared()), pass).await;
    let version = store.put(&Write::create("kept", json!({"a": 1}))).await.unwrap();
    store.close().await;
    let again = SqliteStateStore::open(&path, clock.shared()).await.unwrap();
    let document = again.get("kept").await.unwrap().unwrap();
    assert_eq!((document.version, document.value), (version, json!({"a": 1})));
}

#[tokio::test]
async fn sqlite_is_shared_by_stores_that_open_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // Many files, for the moments in which openings can meet are short.
    for round in 0..50 {
        let path = folder.path().join(format!("ops-{round}.db"));
        let open = || SqliteStateStore::open(&path, SystemClock::shared());
        let (a, b, c) = tokio::join!(open(), open(), open());
        let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
        let write = Write::create("once", json!(1));
        let (a, b, c) = tokio::join!(a.put(&write), b.put(&write), c.put(&write));
        let outcomes = [a, b, c];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let refusals = outcomes.iter().flat_map(|outcome| outcome.as_ref().err());
        assert!(refusals.map(|error| error.kind()).all(|kind| kind == ErrorKind::Conflict), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ops.db");
    std::fs::write(&path, "x".repeat(10_000)).unwrap();
    let error = SqliteStateStore::open(&path, SystemClock::shared()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("ops.db"), "{error}");
}

#[tokio::test]
async fn postgres_conforms_and_survives_a_crash_of_the_server() {
    let mut server = PostgresServer::builder().unwrap().start().await.unwrap();
    let options = server.options();
    let connect = || PostgresStateStore::connect(&options);
    let (a, b, c) = tokio::join!(connect(), connect(), connect());
    let (store, _b, _c) = (a.unwrap(), b.unwrap(), c.unwrap());
    conformance::state_store(&store).await;
    let clock = SystemClock::shared();
    let pass = || {
        let clock = SystemClock::new();
        async move { clock.sleep(Duration::from_secs(1)).await }
    };
    conformance::lease_store(&StateLeases::new(store.clone(), clock), pass).await;
    let version = store.put(&Write::create("kept", json!("a\u{0}b"))).await.unwrap();
    server.kill();
    let error = store.put(&Write::create("lost", json!(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_ne!(error.retry(), Retry::Never);
    server.restart().await.unwrap();
    let document = store.get("kept").await.unwrap().unwrap();
    assert_eq!((document.version, document.value), (version, json!("a\u{0}b")));
}

/// A change of owner that is under way when a fenced write arrives decides whether the write happens.
#[tokio::test]
async fn postgres_judges_the_fence_together_with_the_write() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let store = PostgresStateStore::connect(&server.options()).await.unwrap();
    let fence = Fence { lease: "ops".to_owned(), epoch: 1 };
    store.put(&Write::create(fence.document_key(), json!({"epoch": 1}))).await.unwrap();
    let mut taker = sqlx::PgConnection::connect(server.options().to_url().expose()).await.unwrap();
    for expected in ["create", "replace", "delete"] {
        let key = format!("effect/{expected}");
        server.psql("UPDATE alfred_ops.state SET value = '{\"epoch\": 1}' WHERE key = 'lease/ops'").unwrap();
        let version = match expected {
            "create" => None,
            _ => Some(store.put(&Write::create(key.clone(), json!(0))).await.unwrap()),
        };
        let write = match version {
            None => Write::create(key.clone(), json!(1)),
            Some(version) => Write::replace(key.clone(), json!(1), version),
        };
        let write = write.with_fence(Some(fence.clone()));
        let late = async {
            match (expected, version) {
                ("delete", Some(version)) => {
                    store.delete(&key, Expected::Version(version), Some(fence.clone())).await
                }
                _ => store.put(&write).await.map(|_| ()),
            }
        };
        let mut takeover = taker.begin().await.unwrap();
        sqlx::query("UPDATE alfred_ops.state SET value = '{\"epoch\": 2}' WHERE key = 'lease/ops'")
            .execute(&mut *takeover)
            .await
            .unwrap();
        let commit = async {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            while server.psql(waiting).unwrap() == "0" {
                tokio::task::yield_now().await;
            }
            takeover.commit().await.unwrap();
        };
        let (outcome, ()) = tokio::join!(late, commit);
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{expected}: {error}");
    }
}
