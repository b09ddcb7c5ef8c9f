//! When the way down is run, and how often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_core::testing::{Fate, Fuse, Mortal};
use alfred_ops_core::{ClockExt as _, StateStore};
use alfred_ops_maintenance::{Change, Guard, GuardOutcome, WayBack};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::deploy;
use super::platform::Platform;

const LIMIT: Duration = Duration::from_secs(60);

fn deployment(platform: &Platform, sql: &'static str) -> Change {
    let server = platform.options();
    Change::work("work", move || deploy(server.clone(), sql))
}

/// Has a change undone that fails.
async fn check(up: &'static str, protected: &str, down: &'static str, way: WayBack) {
    let platform = Platform::start().await;
    let before = platform.picture();
    let guard = platform
        .guard()
        .protect(protected.parse().unwrap())
        .verify_sql("it works", "SELECT false")
        .down_sql(down)
        .build()
        .unwrap();
    let report = guard.run(&deployment(&platform, up), &platform.context).await.unwrap();
    let GuardOutcome::BroughtBack(taken) = report.outcome else { panic!("{up}: {report}") };
    assert_eq!(taken, way, "{up}: {report}");
    platform.picture().assert_equals(&before, up);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_down_is_run_though_nothing_that_is_compared_has_changed() {
    let (up, down) =
        ("UPDATE tasks SET priority = priority + 10", "UPDATE tasks SET priority = priority - 10");
    check(up, "agents", down, WayBack::Down).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_down_does_not_undo_what_the_change_has_not_done() {
    let up = "SELECT 1/0";
    check(up, "tasks", "UPDATE tasks SET priority = priority / 2", WayBack::NothingLeft).await;
    check(up, "tasks", "ALTER TABLE tasks DROP COLUMN note", WayBack::NothingLeft).await;
    check(up, "tasks", "ALTER TABLE tasks DROP COLUMN weight", WayBack::NothingLeft).await;
}

fn halving(platform: &Platform, store: Arc<dyn StateStore>, protects: bool) -> Guard {
    let guard = Guard::builder(platform.options(), store).without_point_in_time();
    let guard = if protects { guard.protect("tasks".parse().unwrap()) } else { guard };
    guard
        .verify_sql("it works", "SELECT false")
        .down_sql("UPDATE tasks SET priority = priority / 2")
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_may_die_in_the_way_down_and_it_is_run_once() {
    let platform = Platform::start().await;
    check_deaths(&platform, true).await;
    check_deaths(&platform, false).await;
}

async fn check_deaths(platform: &Platform, protects: bool) {
    let doubling = deployment(platform, "UPDATE tasks SET priority = priority * 2");
    let mut deaths = 0;
    for (calls, fate) in (0..).flat_map(|call| [(call, Fate::HangsBefore), (call, Fate::HangsAfter)]) {
        platform.renew();
        let before = platform.picture();
        let fuse = Fuse::default();
        let host = halving(platform, Arc::new(Mortal::new(Arc::clone(&platform.store), &fuse)), protects);
        fuse.light(calls, fate);
        let survived = tokio::select! {
            report = host.run(&doubling, &platform.context) => Some(report.unwrap()),
            () = fuse.ended() => None,
        };
        let what = format!("{fate:?} call {calls}");
        if let Some(report) = survived {
            assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)), "{report}");
            platform.picture().assert_equals(&before, &what);
            break;
        }
        deaths += 1;
        let next = halving(platform, Arc::clone(&platform.store), protects);
        let report = next.resume(&doubling, &platform.context).await.unwrap();
        if let Some(report) = &report {
            assert!(matches!(report.outcome, GuardOutcome::BroughtBack(_)), "{what}: {report}");
        }
        // Where rows are not compared nothing tells that the change had not begun when its host died.
        if protects || (calls, fate) != (1, Fate::HangsAfter) {
            platform.picture().assert_equals(&before, &what);
        }
    }
    println!("{deaths} deaths");
    assert!(deaths >= 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_down_gives_way_to_those_who_hold_a_lock() {
    let platform = Platform::start().await;
    let before = platform.picture();
    let holder: Arc<Mutex<Option<PgConnection>>> = Arc::default();
    let (server, keeper) = (platform.options(), Arc::clone(&holder));
    let guard = platform
        .guard()
        .giving_way(Duration::from_millis(50), 1000)
        .verify("it works", move |_| {
            let (server, keeper) = (server.clone(), Arc::clone(&keeper));
            Box::pin(async move {
                let mut connection = PgConnection::connect(server.to_url().expose()).await.unwrap();
                connection.execute("BEGIN; LOCK TABLE tasks IN SHARE MODE").await.unwrap();
                *keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
                Ok(Some("it does not".to_owned()))
            })
        })
        .down_sql("UPDATE tasks SET priority = priority / 2")
        .build()
        .unwrap();
    let change = deployment(&platform, "UPDATE tasks SET priority = priority * 2");
    let releases = async {
        let mut waiting = std::collections::BTreeSet::new();
        // The second one is another attempt.
        while waiting.len() < 2 {
            let pid = platform.sql("SELECT min(pid) FROM pg_locks WHERE NOT granted");
            waiting.extend((!pid.is_empty()).then_some(pid));
            platform.context.clock.sleep(Duration::from_millis(5)).await;
        }
        drop(holder.lock().unwrap_or_else(PoisonError::into_inner).take());
    };
    let clock = &platform.context.clock;
    let releases = clock.timeout(LIMIT, "wait for two attempts", releases);
    let (report, released) = tokio::join!(guard.run(&change, &platform.context), releases);
    let report = report.unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)), "{report}");
    released.unwrap();
    platform.picture().assert_equals(&before, "gave way");
}
