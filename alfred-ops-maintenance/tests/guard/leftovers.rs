//! What a change leaves behind, or still does, when it has failed.

use std::time::Duration;

use alfred_ops_core::{ClockExt as _, ErrorKind};
use alfred_ops_maintenance::{Change, Guard, GuardOutcome, MigrationRunner, WayBack};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::cut_off::reversible;
use super::deploy;
use super::platform::Platform;

const LIMIT: Duration = Duration::from_secs(60);

async fn hold(platform: &Platform, sql: &'static str) -> PgConnection {
    let mut connection = PgConnection::connect(platform.options().to_url().expose()).await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    connection.execute(sql).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_could_not_be_built_is_not_laid_to_somebody_else() {
    let platform = Platform::start().await;
    let runner = |texts: &[(&'static str, Option<&'static str>)]| {
        MigrationRunner::new(platform.options(), reversible(texts))
    };
    runner(&[]).run(&platform.context).await.unwrap();
    let before = platform.picture();
    // No table needs to be protected: whoever builds an index touches no rows.
    for protects in [true, false] {
        let guard = platform.guard();
        let guard = if protects { guard.protect("tasks".parse().unwrap()) } else { guard };
        let guard = guard.build().unwrap();
        let twice = "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY tasks_priority ON tasks (priority)";
        let change = Change::migrations("v42", runner(&[(twice, None)]));
        let report = guard.run(&change, &platform.context).await.unwrap();
        assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::NothingLeft)), "{report}");
        assert!(!report.to_string().contains("somebody else"), "{report}");
        platform.picture().assert_equals(&before, "refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_built_index_goes_when_its_host_has_died() {
    let platform = Platform::start().await;
    let runner = |texts: &[(&'static str, Option<&'static str>)]| {
        MigrationRunner::new(platform.options(), reversible(texts))
    };
    runner(&[]).run(&platform.context).await.unwrap();
    let before = platform.picture();
    // Its own way down knows of no index that is not whole.
    let build = "-- no-transaction\nCREATE INDEX CONCURRENTLY tasks_priority ON tasks (priority)";
    let change = Change::migrations("v42", runner(&[(build, Some("SELECT 1"))]));
    let guard = platform.guard().protect("tasks".parse().unwrap()).build().unwrap();
    let holder = hold(&platform, "UPDATE tasks SET priority = priority WHERE id = 1").await;
    let building = "SELECT count(*) FROM pg_stat_progress_create_index p JOIN pg_locks l USING (pid) WHERE NOT l.granted";
    tokio::select! {
        report = guard.run(&change, &platform.context) => panic!("it waits for the holder: {}", report.unwrap()),
        () = platform.until(building, "1") => {}
    }
    platform.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index");
    platform.until(building, "0").await;
    assert_eq!(
        platform.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'tasks_priority'::regclass"),
        "f"
    );
    drop(holder);
    let report = guard.resume(&change, &platform.context).await.unwrap().unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)), "{report}");
    assert!(report.steps.iter().any(|step| step.contains("tasks_priority")), "{:?}", report.steps);
    platform.picture().assert_equals(&before, "half-built");
}

/// A guard of work that waits for `holder` when its host dies.
async fn cut_off(platform: &Platform, guard: &Guard, change: &Change) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
    tokio::select! {
        report = guard.run(change, &platform.context) => panic!("it waits: {}", report.unwrap()),
        () = platform.until(waiting, "1") => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_not_judged_while_its_statement_runs_on() {
    let platform = Platform::start().await;
    let guard =
        |within| platform.guard().protect("agents".parse().unwrap()).settling_within(within).build().unwrap();
    let server = platform.options();
    let change = Change::work("delete", move || deploy(server.clone(), "DELETE FROM agents"));
    let holder = hold(&platform, "SELECT FROM agents WHERE id = 9 FOR UPDATE").await;
    let hasty = guard(Duration::from_millis(200));
    cut_off(&platform, &hasty, &change).await;
    let error = hasty.resume(&change, &platform.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("still at work on what is protected after 200ms"), "{error}");
    assert!(error.remedy().unwrap().contains("call Guard::resume"), "{error}");
    assert_eq!(hasty.under_way().await.unwrap().as_deref(), Some("delete"));

    // The next one waits, and somebody lets go meanwhile.
    let patient = guard(LIMIT);
    let looks = "SELECT count(*) > 1 FROM pg_stat_activity WHERE application_name = 'alfred-ops guard' AND query ~ 'pg_locks'";
    let releases = async {
        let clock = &platform.context.clock;
        drop(clock.timeout(Duration::from_secs(5), "wait for a look", platform.until(looks, "t")).await);
        drop(holder);
    };
    let (report, ()) = tokio::join!(patient.resume(&change, &platform.context), releases);
    let report = report.unwrap().unwrap();
    let GuardOutcome::Stranded { why } = &report.outcome else { panic!("{report}") };
    assert!(why.contains("\"agents\" has 0 rows instead of 9"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stranded_stays_in_the_book_until_it_is_settled() {
    let platform = Platform::start().await;
    let before = platform.picture();
    let server = platform.options();
    let change = Change::work("v42", move || deploy(server.clone(), "UPDATE agents SET name = 'x ' || name"));
    let guard = platform
        .guard()
        .protect("agents".parse().unwrap())
        .verify_sql("it works", "SELECT false")
        .down_sql("UPDATE agents SET name = substr(name, 3 / (SELECT count(*)::int FROM pg_roles WHERE rolname = 'mender'))")
        .build()
        .unwrap();
    let context = &platform.context;
    let stranded = |outcome: &GuardOutcome| matches!(outcome, GuardOutcome::Stranded { .. });
    let report = guard.run(&change, context).await.unwrap();
    assert!(stranded(&report.outcome) && report.to_string().contains("division by zero"), "{report}");
    let error = guard.run(&change, context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.remedy().unwrap().contains("Guard::forget"), "{error}");
    // What was in the way is still there, and then it is not.
    assert!(stranded(&guard.resume(&change, context).await.unwrap().unwrap().outcome));
    platform.sql("CREATE ROLE mender");
    let report = guard.resume(&change, context).await.unwrap().unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)), "{report}");
    platform.picture().assert_equals(&before, "mended");

    platform.sql("DROP ROLE mender");
    assert!(stranded(&guard.run(&change, context).await.unwrap().outcome));
    let error = guard.forget("v43", context).await.unwrap_err().to_string();
    assert!(error.contains("\"v42\" was under way, not \"v43\""), "{error}");
    assert!(guard.forget("v42", context).await.unwrap());
    assert!(!guard.forget("v42", context).await.unwrap());
    assert_eq!(guard.under_way().await.unwrap(), None);
}
