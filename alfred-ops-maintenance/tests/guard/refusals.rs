//! What keeps a change from beginning, and what watches it afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{ErrorKind, JobContext};
use alfred_ops_maintenance::{Change, ClosureGate, GuardOutcome, MigrationRunner, Watch, WayBack};

use super::cut_off::reversible;
use super::platform::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_before_its_way_back_is_sure() {
    let platform = Platform::start().await.archived().await;
    let before = platform.picture();
    let change = Change::sql("v42", "DROP TABLE agents");

    let error = alfred_ops_maintenance::Guard::builder(platform.options(), Arc::clone(&platform.store));
    let error = error.build().unwrap_err().to_string();
    assert!(error.contains("call archive, or without_point_in_time"), "{error}");
    let error = platform.guard().restore_point("before v42").build().unwrap_err().to_string();
    assert!(error.contains("\"before v42\" is no name"), "{error}");
    let error = platform.guard().copying_back().build().unwrap_err().to_string();
    assert!(error.contains("call side_server and protect"), "{error}");

    let gate = ClosureGate::new("pages", || async { Ok(Some("2 pages are firing".to_owned())) });
    let guard = platform.guard().gate(gate).build().unwrap();
    let error = guard.run(&change, &platform.context).await.unwrap_err().to_string();
    assert!(error.contains("gate \"pages\" is closed: 2 pages are firing"), "{error}");

    let guard = platform.guard().protect("tusks".parse().unwrap()).build().unwrap();
    let error = guard.run(&change, &platform.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");

    // A role without the right, as on a managed server: the position is the target.
    platform.server.psql("CREATE ROLE ops LOGIN REPLICATION IN ROLE pg_read_all_data").unwrap();
    platform.sql("ALTER TABLE agents OWNER TO ops");
    let own = platform.picture();
    let (repository, archiver) = platform.archive.clone().unwrap();
    let server = platform.options().with_user("ops", None);
    let guard = alfred_ops_maintenance::Guard::builder(server, Arc::clone(&platform.store))
        .archive(repository.clone(), archiver)
        .restore_point("before-v43")
        .verify_sql("it works", "SELECT false")
        .build()
        .unwrap();
    let report = guard.run(&change, &platform.context).await.unwrap();
    assert!(!report.point.as_ref().unwrap().named, "{report}");
    assert!(report.notes[0].contains("GRANT EXECUTE ON FUNCTION pg_create_restore_point(text)"), "{report}");
    platform.picture().assert_equals(&own, "without the right");
    platform.sql("ALTER TABLE agents OWNER TO postgres");
    platform.picture().assert_equals(&before, "refused");

    // Nobody archives any more.
    let guard = platform.guard().durable_within(Duration::from_millis(500)).build().unwrap();
    let platform = platform.stop().await;
    let error = guard.run(&change, &platform.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("is not durable after 500ms"), "{error}");
    assert!(error.remedy().unwrap().contains("run the WAL archiver"), "{error}");
    assert_eq!(guard.under_way().await.unwrap(), None);
    platform.picture().assert_equals(&before, "not durable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_sees_enough_takes_the_change_back() {
    let platform = Platform::start().await;
    let before = platform.picture();
    let looks = Arc::new(AtomicU32::new(0));
    let watch = Watch::new("errors", {
        let looks = Arc::clone(&looks);
        move || {
            let look = looks.fetch_add(1, Ordering::SeqCst);
            // One bad look is forgiven, two in a row are not.
            async move { Ok([0, 2, 3].contains(&look).then(|| format!("{look} % errors"))) }
        }
    });
    let guard = platform
        .guard()
        .watch(watch.lasting(Duration::from_secs(60), Duration::from_millis(5)))
        .down_sql("ALTER TABLE tasks DROP COLUMN weight")
        .build()
        .unwrap();
    let change = Change::sql("v42", "ALTER TABLE tasks ADD COLUMN weight int");
    let report = guard.run(&change, &platform.context).await.unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)), "{report}");
    assert!(report.failure.as_ref().unwrap().contains("watch \"errors\": 3 % errors"), "{report}");
    assert_eq!(looks.load(Ordering::SeqCst), 4);
    platform.picture().assert_equals(&before, "watched");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_taken_back_by_their_down_migrations_as_far_as_they_came() {
    let platform = Platform::start().await;
    let runner = |migrator| MigrationRunner::new(platform.options(), migrator);
    runner(reversible(&[])).run(&platform.context).await.unwrap();
    let before = platform.picture();
    let rename =
        ("ALTER TABLE tasks RENAME title TO subject", Some("ALTER TABLE tasks RENAME subject TO title"));
    let guard = platform.guard().protect("tasks".parse().unwrap()).build().unwrap();
    let context = JobContext::system();

    let bad = runner(reversible(&[rename, ("ALTER TABLE nowhere ADD COLUMN a int", Some("SELECT 1"))]));
    let report = guard.run(&Change::migrations("v42", bad), &context).await.unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)), "{report}");
    assert!(report.failure.as_ref().unwrap().contains("migration 2: relation \"nowhere\""), "{report}");
    platform.picture().assert_equals(&before, "second fails");
    assert_eq!(platform.sql("SELECT count(*) FROM _sqlx_migrations"), "0");

    let bad = runner(reversible(&[("ALTER TABLE nowhere ADD COLUMN a int", None)]));
    let report = guard.run(&Change::migrations("v42", bad), &context).await.unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Transaction)), "{report}");
    platform.picture().assert_equals(&before, "first fails");

    let one_way = runner(reversible(&[(rename.0, None), ("ALTER TABLE nowhere ADD COLUMN a int", None)]));
    let report = guard.run(&Change::migrations("v42", one_way), &context).await.unwrap();
    let GuardOutcome::Stranded { why } = &report.outcome else { panic!("{report}") };
    assert!(why.contains("migration 1 has no down migration"), "{why}");
}
