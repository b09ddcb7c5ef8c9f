//! Retention on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod detaching;
mod parts;
#[path = "../postgres/mod.rs"]
mod postgres;
mod sight;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{ErrorKind, JobContext, MemoryStateStore, TaskSet};
use alfred_ops_maintenance::{
    Budget, Caretaker, ChoreOutcome, ChorePlan as _, ChoreRecord, Retention, RetentionPolicy, RetentionWork,
};
use postgres::{VERSIONS, server};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

const TABLE: &str = "CREATE TABLE processed_msgs (message_id text PRIMARY KEY, \
    processed_at timestamptz NOT NULL DEFAULT now())";
const INDEX: &str = "CREATE INDEX by_age ON processed_msgs (processed_at)";
/// Of one message a minute 48 hours hold 2,880, and no test takes half a minute.
const EXPIRED: u64 = 6_000 - 2_880 - 1;

/// One message a minute, 6,000 minutes back, in this order.
fn fill(server: &PostgresServer, order: &str) {
    server
        .psql(&format!(
            "{TABLE}; INSERT INTO processed_msgs SELECT g, now() - g * interval '1 minute' + interval '30 s' \
             FROM generate_series(0, 5999) g ORDER BY {order}"
        ))
        .unwrap();
}

fn policy() -> RetentionPolicy {
    RetentionPolicy::processed_msgs().with_batch_rows(500).unwrap()
}

fn caretaker(server: &PostgresServer) -> Caretaker<Retention> {
    let store = Arc::new(MemoryStateStore::default());
    // Servers of tests share their processors with other tests.
    let budget = Budget::default().with_lock(Duration::from_secs(5));
    Retention::new(server.options(), policy()).caretaker(store).budget(budget).build().unwrap()
}

async fn run(caretaker: &Caretaker<Retention>) -> ChoreRecord {
    caretaker.run(&JobContext::system()).await.unwrap().record().unwrap().clone()
}

fn count(server: &PostgresServer) -> String {
    server.psql("SELECT count(*) || ' ' || count(*) FILTER (WHERE processed_at < now() - interval '48 h') FROM processed_msgs").unwrap()
}

#[tokio::test]
async fn exactly_the_expired_rows_go_along_the_index_and_by_blocks() {
    for version in VERSIONS {
        for (order, by_blocks) in [("random()", false), ("g DESC", true)] {
            let server = server(version).await;
            fill(&server, order);
            server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
            server.psql("UPDATE processed_msgs SET processed_at = '-infinity' WHERE message_id IN ('5998', '5999')").unwrap();
            let caretaker = caretaker(&server);
            let plan = caretaker.plan(&JobContext::system()).await.unwrap();
            let matches = match &plan.work {
                RetentionWork::DeleteByBlocks { .. } => by_blocks,
                RetentionWork::DeleteAlongIndex { .. } => !by_blocks,
                _ => false,
            };
            assert!(matches, "{version}: {plan}");
            assert!(count(&server).starts_with("6000 "), "a plan changes nothing");

            let record = run(&caretaker).await;
            assert_eq!(
                (record.outcome, record.figures.work),
                (ChoreOutcome::Finished, EXPIRED),
                "{version}: {plan}"
            );
            assert!(record.figures.steps > 3, "{version}: {} steps", record.figures.steps);
            assert_eq!(count(&server), "2881 0");
            let again = run(&caretaker).await;
            assert_eq!((again.outcome, again.figures.work), (ChoreOutcome::Finished, 0));
            assert!(again.plan.starts_with("nothing to delete: the oldest row is of"), "{}", again.plan);
        }
    }
}

#[tokio::test]
async fn rows_that_somebody_holds_stay_and_are_told() {
    for order in ["random()", "g DESC"] {
        let server = server(17).await;
        fill(&server, order);
        server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
        server
            .psql("BEGIN; DELETE FROM processed_msgs WHERE message_id IN ('5000', '5001'); PREPARE TRANSACTION 'held'")
            .unwrap();
        let caretaker = caretaker(&server);
        let record = run(&caretaker).await;
        assert_eq!(record.figures.work, EXPIRED - 2, "{order}: {record:?}");
        assert!(
            matches!(&record.outcome, ChoreOutcome::Ineffective { reason } if reason.contains("delete from")),
            "{record}"
        );
        server.psql("ROLLBACK PREPARED 'held'").unwrap();
        assert_eq!(run(&caretaker).await.figures.work, 2);
    }
}

#[tokio::test]
async fn a_held_snapshot_keeps_nothing_from_going_and_a_killed_run_goes_on() {
    let server = server(15).await;
    fill(&server, "random()");
    server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
    // A snapshot of a prepared transaction is not held, its transaction id is: nothing that dies now is cleaned up.
    server
        .psql("CREATE TABLE other (); BEGIN; INSERT INTO other DEFAULT VALUES; PREPARE TRANSACTION 'old'")
        .unwrap();
    let caretaker = caretaker(&server);
    {
        let context = JobContext::system();
        let mut run = std::pin::pin!(caretaker.run(&context));
        let done = std::future::poll_fn(|task| {
            if run.as_mut().poll(task).is_ready() || count(&server) != format!("6000 {EXPIRED}") {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        });
        done.await;
        // Dropped in the middle of a batch, as a kill would have it.
    }
    let before = count(&server);
    let rest: u64 = before.split_once(' ').unwrap().1.parse().unwrap();
    assert!(rest > 0 && rest < EXPIRED, "{before}");
    let other = Retention::new(server.options(), policy());
    let other = other.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap();
    let record = run(&other).await;
    assert_eq!(record.outcome, ChoreOutcome::Finished, "{record:?}");
    assert!(record.figures.work <= rest, "what the dropped run had begun may have been done");
    assert_eq!(count(&server), "2881 0");
}

#[tokio::test]
async fn partitions_are_detached_and_dropped_also_after_a_kill_between_the_two() {
    for version in VERSIONS {
        let server = server(version).await;
        server
            .psql(
                "CREATE TABLE processed_msgs (message_id text, processed_at timestamptz NOT NULL) PARTITION BY RANGE (processed_at); \
                 DO $$ BEGIN FOR d IN 0..5 LOOP EXECUTE format('CREATE TABLE day_%s PARTITION OF processed_msgs \
                 FOR VALUES FROM (%L) TO (%L)', d, current_date - d, current_date - d + 1); END LOOP; END $$; \
                 INSERT INTO processed_msgs SELECT g, current_date - g % 6 FROM generate_series(1, 600) g; \
                 ANALYZE processed_msgs, day_5",
            )
            .unwrap();
        let caretaker = caretaker(&server);
        let plan = caretaker.plan(&JobContext::system()).await.unwrap();
        assert_eq!(plan.to_string().matches("detach and drop partition").count(), 3, "{version}: {plan}");
        // As a run leaves it that is killed after the detachment; a table that somebody else detached stays.
        server.psql(&detaching::marked("day_5", "current_date - 4")).unwrap();
        server.psql("ALTER TABLE processed_msgs DETACH PARTITION day_5 CONCURRENTLY").unwrap();
        server.psql("ALTER TABLE processed_msgs DETACH PARTITION day_4 CONCURRENTLY").unwrap();
        let record = run(&caretaker).await;
        assert_eq!(record.outcome, ChoreOutcome::Finished, "{version}: {record:?}");
        assert!(
            record.plan.contains("drop \"public\".\"day_5\", which an earlier run detached"),
            "{}",
            record.plan
        );
        assert_eq!(
            server
                .psql("SELECT string_agg(relname, ' ' ORDER BY 1) FROM pg_class WHERE relname LIKE 'day_%'")
                .unwrap(),
            "day_0 day_1 day_2 day_4"
        );
    }
}

#[tokio::test]
async fn what_is_in_the_way_is_told_with_its_remedy() {
    let server = server(17).await;
    let caretaker = caretaker(&server);
    let told = |record: ChoreRecord, part: &str| match record.outcome {
        ChoreOutcome::Ineffective { reason } => assert!(reason.contains(part), "{part} in {reason}"),
        other => panic!("{part}: {other}"),
    };
    told(run(&caretaker).await, "there is no table \"public\".\"processed_msgs\"");
    server.psql("CREATE TABLE processed_msgs (message_id text)").unwrap();
    told(run(&caretaker).await, "there is no column \"processed_at\"");
    server.psql("DROP TABLE processed_msgs").unwrap();
    fill(&server, "g");
    let scans =
        || server.psql("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'processed_msgs'").unwrap();
    let before = scans();
    told(
        run(&caretaker).await,
        "run CREATE INDEX CONCURRENTLY ON \"public\".\"processed_msgs\" (\"processed_at\")",
    );
    assert_eq!(scans(), before, "the table is not read as a whole");
    server
        .psql(&format!("{INDEX}; CREATE ROLE guest LOGIN; GRANT SELECT ON processed_msgs TO guest"))
        .unwrap();
    let guest = Retention::new(server.options().with_user("guest", None), policy())
        .caretaker(Arc::new(MemoryStateStore::default()))
        .build()
        .unwrap();
    told(run(&guest).await, "run GRANT UPDATE, DELETE ON \"public\".\"processed_msgs\" TO \"guest\"");
    server.psql("GRANT UPDATE, DELETE ON processed_msgs TO guest").unwrap();
    assert_eq!(run(&guest).await.figures.work, EXPIRED);
    let nobody = Retention::new(server.options().with_user("nobody", None), policy())
        .caretaker(Arc::new(MemoryStateStore::default()))
        .build()
        .unwrap();
    let error = nobody.run(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let plan = guest.plan(&JobContext::system()).await.unwrap();
    assert!(plan.is_empty() && plan.obstacles().is_empty(), "{plan}");
    assert!(policy().with_batch_rows(0).unwrap_err().to_string().contains("batch_rows: 0"));
}

#[tokio::test]
async fn a_table_that_vanishes_in_the_middle_is_an_answer() {
    let server = server(18).await;
    fill(&server, "random()");
    server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
    let options = server.options();
    let dropped = std::sync::atomic::AtomicBool::new(false);
    // The canary is asked before the first batch.
    let retention = Retention::new(options, policy()).with_canary(move || {
        if !dropped.swap(true, std::sync::atomic::Ordering::SeqCst) {
            server.psql("DROP TABLE processed_msgs").unwrap();
        }
        Some(Duration::from_millis(1))
    });
    let caretaker = retention.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap();
    let record = run(&caretaker).await;
    assert_eq!(record.figures.notes, ["the table vanished in the middle of the run"]);
    assert!(record.outcome.to_string().contains("there is no table"), "{record}");
}

/// Small batches and long rests, so that a run lasts for some looks.
fn slow_caretaker(server: &PostgresServer, edit: fn(&mut RetentionPolicy)) -> Caretaker<Retention> {
    let mut policy = RetentionPolicy::processed_msgs().with_batch_rows(300).unwrap();
    policy.throttle.share_max = 0.005;
    edit(&mut policy);
    let budget = Budget::default().with_lock(Duration::from_secs(5));
    let store = Arc::new(MemoryStateStore::default());
    Retention::new(server.options(), policy).caretaker(store).budget(budget).build().unwrap()
}

#[tokio::test]
async fn a_slot_that_nobody_reads_slows_a_run_down() {
    for version in VERSIONS {
        let server = server(version).await;
        fill(&server, "random()");
        server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
        server.psql("SELECT pg_create_physical_replication_slot('nobody', true)").unwrap();
        let done = run(&slow_caretaker(&server, |policy| policy.throttle.slot_bytes_max = 1)).await;
        let told = done.figures.notes.iter().any(|note| note.contains("slower: a replication slot keeps"));
        assert!(told && done.outcome == ChoreOutcome::Finished, "{version}: {done:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_that_does_not_keep_up_slows_a_run_down() {
    let server = server(15).await;
    fill(&server, "random()");
    server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
    let mut other = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
    let tasks = TaskSet::new(&CancellationToken::new());
    let vacuum = tasks.spawn(async move {
        other.execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1").await.unwrap();
        other.execute("VACUUM (DISABLE_PAGE_SKIPPING) processed_msgs").await.map(drop)
    });
    while server.psql("SELECT count(*) FROM pg_stat_progress_vacuum").unwrap() != "1" {}
    let done = run(&slow_caretaker(&server, |policy| policy.throttle.dead_share_max = 0.0)).await;
    let told = done.figures.notes.iter().any(|note| note.contains("and VACUUM does not keep up"));
    assert!(told && done.outcome == ChoreOutcome::Finished, "{done:?}");
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_vacuum").unwrap();
    // It was ended, or was done.
    let _ = vacuum.await.unwrap();
}
