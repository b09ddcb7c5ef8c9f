//! Hosts that die in the middle.

use std::sync::Arc;

use alfred_ops_core::testing::{Fate, Fuse, Mortal};
use alfred_ops_core::{ClockExt as _, JobContext, StateStore, TaskSet};
use alfred_ops_maintenance::{Change, Guard, GuardOutcome, MigrationRunner, WayBack};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tokio_util::sync::CancellationToken;

use super::deploy;
use super::platform::Platform;

const UP: &str = "UPDATE tasks SET priority = 5; ALTER TABLE tasks RENAME title TO subject";

pub(crate) fn reversible(texts: &[(&'static str, Option<&'static str>)]) -> Arc<Migrator> {
    let mut migrations = Vec::new();
    for ((up, down), version) in texts.iter().zip(1..) {
        let mut add = |text: &'static str, kind| {
            let sql = sqlx::SqlSafeStr::into_sql_str(text);
            let no_tx = text.starts_with("-- no-transaction");
            migrations.push(Migration::new(version, format!("step {version}").into(), kind, sql, no_tx));
        };
        add(up, MigrationType::ReversibleUp);
        if let Some(down) = down {
            add(down, MigrationType::ReversibleDown);
        }
    }
    Arc::new(Migrator::with_migrations(migrations))
}

fn migrations(platform: &Platform) -> Change {
    let migrator = reversible(&[
        ("ALTER TABLE tasks RENAME title TO subject", Some("ALTER TABLE tasks RENAME subject TO title")),
        (
            "-- no-transaction\nCREATE INDEX CONCURRENTLY tasks_subject ON tasks (subject)",
            Some("DROP INDEX IF EXISTS tasks_subject"),
        ),
    ]);
    Change::migrations("migrations", MigrationRunner::new(platform.options(), migrator))
}

fn guard(platform: &Platform, store: Arc<dyn StateStore>, works: bool) -> Guard {
    let answer = if works { "SELECT true" } else { "SELECT false" };
    Guard::builder(platform.options(), store)
        .without_point_in_time()
        .protect("tasks".parse().unwrap())
        .verify_sql("it works", answer)
        .down({
            let server = platform.options();
            // It bears being called again.
            move || {
                deploy(
                    server.clone(),
                    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'tasks'::regclass \
                     AND attname = 'subject') AND to_regclass('_sqlx_migrations') IS NULL THEN \
                     ALTER TABLE tasks RENAME subject TO title; END IF; END $$; \
                     UPDATE tasks SET priority = id % 5 + 1 WHERE to_regclass('_sqlx_migrations') IS NULL",
                )
            }
        })
        .build()
        .unwrap()
}

/// Hosts that make this change die before and after each call of their store, until one survives.
async fn die_at_each_call(name: &str, change: fn(&Platform) -> Change, works: bool) {
    let platform = Platform::start().await;
    let mut deaths = 0;
    // Its run is dropped where it hangs: a host that is told of an error would go back by itself.
    for (calls, fate) in (0..).flat_map(|call| [(call, Fate::HangsBefore), (call, Fate::HangsAfter)]) {
        platform.renew();
        if name.starts_with("migrations") {
            // The table of migrations is no part of the change.
            let none = MigrationRunner::new(platform.options(), reversible(&[]));
            none.run(&platform.context).await.unwrap();
        }
        let before = platform.picture();
        let fuse = Fuse::default();
        let mortal = Arc::new(Mortal::new(Arc::clone(&platform.store), &fuse));
        fuse.light(calls, fate);
        let under = change(&platform);
        let host = guard(&platform, mortal, works);
        let survived = tokio::select! {
            report = host.run(&under, &platform.context) => Some(report.unwrap()),
            () = fuse.ended() => None,
        };
        if let Some(report) = survived {
            assert_eq!(report.is_kept(), works, "{name}: {report}");
            break;
        }
        deaths += 1;
        let next = guard(&platform, Arc::clone(&platform.store), works);
        let what = format!("{name}, {fate:?} call {calls}");
        let report = next.resume(&under, &platform.context).await.unwrap();
        let kept = report.as_ref().is_some_and(alfred_ops_maintenance::GuardReport::is_kept);
        if let Some(report) = &report {
            assert!(kept || matches!(report.outcome, GuardOutcome::BroughtBack(_)), "{what}: {report}");
        }
        let stands = platform.sql("SELECT count(*) FROM pg_attribute WHERE attname = 'subject'") == "1";
        assert!(works || !stands, "{what}: a change that fails never stands");
        if stands {
            // Without a report it was over before the host died.
            assert!(kept || report.is_none(), "{what}");
        } else {
            platform.picture().assert_equals(&before, &what);
        }
        assert!(next.resume(&under, &platform.context).await.unwrap().is_none(), "{what}");
    }
    println!("{name}: {deaths} deaths");
    assert!(deaths >= 4, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_statements_may_die_at_any_call_of_its_store() {
    die_at_each_call("sql", |_| Change::sql("sql", UP), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_statements_that_fail_may_die_at_any_call_of_its_store() {
    die_at_each_call("sql that fails", |_| Change::sql("sql", UP), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_work_that_fails_may_die_at_any_call_of_its_store() {
    let change = |platform: &Platform| {
        let server = platform.options();
        Change::work("work", move || deploy(server.clone(), UP))
    };
    die_at_each_call("work that fails", change, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_migrations_that_fail_may_die_at_any_call_of_its_store() {
    die_at_each_call("migrations that fail", migrations, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_dropped_or_cancelled_or_panics_is_brought_back() {
    let platform = Platform::start().await;
    let before = platform.picture();
    let slow = Change::sql("slow", "DELETE FROM task_results; SELECT pg_sleep(600)");
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active'";
    let guard = Arc::new(platform.guard().build().unwrap());

    // Dropped: the statement still runs, and the next one ends it.
    tokio::select! {
        _ = guard.run(&slow, &platform.context) => panic!("it sleeps for ten minutes"),
        () = platform.until(sleeping, "1") => {}
    }
    let again = guard.run(&slow, &platform.context).await.unwrap_err().to_string();
    assert!(again.contains("\"slow\" was begun at") && again.contains("call Guard::resume"), "{again}");
    let other = guard.resume(&Change::sql("other", ""), &platform.context).await.unwrap_err().to_string();
    assert!(other.contains("\"slow\" was under way, not \"other\""), "{other}");
    let report = guard.resume(&slow, &platform.context).await.unwrap().unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Transaction)), "{report}");
    platform.picture().assert_equals(&before, "dropped");
    platform.until(sleeping, "0").await;

    // Cancelled: the guard itself goes back.
    let tasks = TaskSet::new(&CancellationToken::new());
    let context = platform.context.clone().with_cancel(tasks.cancel_token().clone());
    let run = tasks.spawn({
        let guard = Arc::clone(&guard);
        async move {
            guard.run(&Change::sql("slow", "DELETE FROM task_results; SELECT pg_sleep(600)"), &context).await
        }
    });
    platform.until(sleeping, "1").await;
    // A second guard waits for nobody's end.
    let second = guard.run(&Change::sql("second", ""), &platform.context).await.unwrap_err().to_string();
    assert!(second.contains("another guard is at work"), "{second}");
    tasks.cancel_token().cancel();
    let report = run.await.unwrap().unwrap();
    assert!(report.failure.as_ref().unwrap().contains("stopped"), "{report}");
    platform.picture().assert_equals(&before, "cancelled");

    let boom = Change::within("boom", |connection| {
        Box::pin(async move {
            sqlx::query("TRUNCATE tasks CASCADE").execute(connection).await.unwrap();
            panic!("out of cheese")
        })
    });
    let report = guard.run(&boom, &JobContext::system()).await.unwrap();
    assert!(report.failure.as_ref().unwrap().contains("it panicked: out of cheese"), "{report}");
    platform.picture().assert_equals(&before, "panic");

    let sneaky = Change::sql("sneaky", "DELETE FROM agents; COMMIT; SELECT 1/0");
    let guard = platform.guard().protect("agents".parse().unwrap()).build().unwrap();
    let run = platform.context.clock.timeout(
        std::time::Duration::from_secs(60),
        "run",
        guard.run(&sneaky, &platform.context),
    );
    let report = Box::pin(run).await.unwrap().unwrap();
    let GuardOutcome::Stranded { why } = &report.outcome else { panic!("{report}") };
    assert!(why.contains("\"agents\" has 0 rows instead of 9"), "{why}");
}
