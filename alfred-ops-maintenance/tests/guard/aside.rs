//! What comes back from a backup that is restored aside.

use std::path::Path;
use std::time::Duration;

use alfred_ops_backup::{BackupRequest, PostgresBackend};
use alfred_ops_core::{ClockExt as _, JobContext};
use alfred_ops_maintenance::{Guard, GuardOutcome, SideServer as _, WayBack};

use super::destruction::{Back, DESTRUCTIONS, Destruction, TABLES};
use super::platform::{Platform, is_empty};
use super::work;

const LIMIT: Duration = Duration::from_secs(120);

/// A guard whose change never works, with all ways back.
fn guard(platform: &Platform, case: &Destruction) -> Guard {
    let mut guard = platform
        .guard()
        .side_server(platform.aside.path(), platform.side_servers())
        .copying_back()
        .verify_sql("it works", "SELECT false");
    for table in TABLES {
        guard = guard.protect_exactly(table.parse().unwrap());
    }
    if let Some(down) = case.down {
        guard = guard.down_sql(down);
    }
    guard.build().unwrap()
}

/// Has so many of the changes that need it brought back from side servers of a version, or all for a soak.
async fn check(version: u32, rows: usize, whole: usize) {
    let all = std::env::var_os("ALFRED_OPS_GUARD_ALL").is_some();
    let platform = Platform::start_on(version).await.archived().await;
    for (back, share) in [(Back::Rows, rows), (Back::Aside, whole)] {
        let cases = DESTRUCTIONS.iter().filter(|case| case.back == back);
        let mut done = 0;
        for case in cases.take(if all { usize::MAX } else { share }) {
            platform.renew();
            let before = platform.picture();
            let report = guard(&platform, case).run(&work(&platform, case), &platform.context).await.unwrap();
            println!("Postgres {version}: {report}");
            match (&report.outcome, back) {
                (GuardOutcome::BroughtBack(WayBack::CopiedBack), Back::Rows) => {
                    platform.picture().assert_equals(&before, case.name);
                    assert!(is_empty(platform.aside.path()), "{}: the side server is put away", case.name);
                }
                (GuardOutcome::HandedOver { server, folder, .. }, Back::Aside) => {
                    platform.picture_of(server).assert_equals(&before, case.name);
                    platform.side_servers().stop(folder, &platform.context).await.unwrap();
                    std::fs::remove_dir_all(folder).unwrap();
                }
                _ => panic!("{}: {report}", case.name),
            }
            done += 1;
        }
        println!("Postgres {version}: {done} of {back:?}");
        assert!(done >= share.min(1));
    }
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_committed_comes_back_from_a_side_server() {
    check(15, 4, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn side_servers_of_newer_versions_bring_back_too() {
    check(17, 1, 1).await;
    check(18, 1, 1).await;
}

/// Whether something that ends with `name` is in a folder of `aside`.
fn has(aside: &Path, name: &str) -> bool {
    std::fs::read_dir(aside).unwrap().any(|folder| folder.unwrap().path().join(name).exists())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_may_die_while_the_backup_is_restored_aside() {
    let platform = Platform::start().await.archived().await;
    let case = DESTRUCTIONS.iter().find(|case| case.back == Back::Rows).unwrap();
    // It has begun, it is about to end, and the server runs on what it made.
    for reached in ["base", "global/pg_control", "postmaster.pid"] {
        platform.renew();
        let before = platform.picture();
        let change = work(&platform, case);
        let until = async {
            while !has(platform.aside.path(), reached) {
                platform.context.clock.sleep(Duration::from_millis(1)).await;
            }
        };
        let host = guard(&platform, case);
        tokio::select! {
            report = host.run(&change, &platform.context) => panic!("it ended before {reached}: {}", report.unwrap()),
            reached = platform.context.clock.timeout(LIMIT, "wait for the restore", until) => reached.unwrap(),
        }
        drop(host);
        let next = guard(&platform, case);
        let report = next.resume(&change, &platform.context).await.unwrap().unwrap();
        assert!(
            matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::CopiedBack)),
            "dead once there was {reached}: {report}"
        );
        platform.picture().assert_equals(&before, reached);
        assert!(
            is_empty(platform.aside.path()),
            "dead once there was {reached}: the side server is put away"
        );
    }
    platform.stop().await;
}

/// A row that refers to itself through a deferred key, and rows of two tables that are newer than the restore point.
const TANGLE: &str = "CREATE TABLE boards (id int PRIMARY KEY, above int REFERENCES boards DEFERRABLE INITIALLY DEFERRED); \
     CREATE TABLE cards (id int PRIMARY KEY, board int NOT NULL REFERENCES boards DEFERRABLE INITIALLY DEFERRED); \
     CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
     CREATE TRIGGER seen BEFORE INSERT ON boards FOR EACH ROW EXECUTE FUNCTION seen(); \
     CREATE TRIGGER seen BEFORE INSERT ON cards FOR EACH ROW EXECUTE FUNCTION seen(); \
     CREATE TABLE notes (id int PRIMARY KEY, card int REFERENCES cards); \
     INSERT INTO boards VALUES (1, NULL), (2, 1); INSERT INTO cards VALUES (1, 1), (2, 2); INSERT INTO notes VALUES (1, 1)";

#[tokio::test(flavor = "multi_thread")]
async fn newer_rows_go_children_first_and_deferred_keys_hold_at_the_end() {
    let platform = Platform::start().await.archived().await;
    platform.sql(TANGLE);
    let rows = || {
        platform.sql(
            "SELECT (SELECT string_agg(b::text, ' ' ORDER BY id) FROM boards b), \
             (SELECT string_agg(c::text, ' ' ORDER BY id) FROM cards c), (SELECT string_agg(n::text, ' ' ORDER BY id) FROM notes n)",
        )
    };
    let before = rows();
    let mut guard = platform
        .guard()
        .side_server(platform.aside.path(), platform.side_servers())
        .copying_back()
        .verify_sql("it works", "SELECT false");
    for table in ["boards", "cards", "notes"] {
        guard = guard.protect_exactly(table.parse().unwrap());
    }
    let guard = guard.build().unwrap();
    let server = platform.options();
    let up = "DELETE FROM cards WHERE id = 2; UPDATE boards SET above = NULL; INSERT INTO boards VALUES (3, 1); \
              INSERT INTO cards VALUES (3, 3); INSERT INTO notes VALUES (3, 3)";
    let change = alfred_ops_maintenance::Change::work("tangle", move || super::deploy(server.clone(), up));
    let report = guard.run(&change, &platform.context).await.unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::CopiedBack)), "{report}");
    assert_eq!(report.copied.iter().map(|rows| rows.newer_removed).sum::<u64>(), 3, "{report}");
    assert_eq!(rows(), before);
    assert_eq!(
        platform.sql("SELECT count(*) FROM pg_trigger WHERE tgname = 'seen' AND tgenabled = 'O'"),
        "2"
    );
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_several_clusters_gives_the_right_one_back() {
    let platform = Platform::start().await.archived().await;
    let (repository, _) = platform.archive.as_ref().unwrap();
    // Its backup is the newest in the repository when one is needed.
    let stranger = Platform::start().await;
    let (server, into) = (stranger.server.options(), repository.clone());
    let case = DESTRUCTIONS.iter().find(|case| case.back == Back::Rows && case.down.is_none()).unwrap();
    let (live, up) = (platform.options(), case.up);
    let change = alfred_ops_maintenance::Change::work(case.name, move || {
        let (server, into, live) = (server.clone(), into.clone(), live.clone());
        async move {
            super::deploy(live, up).await?;
            let backend = PostgresBackend::new(server);
            into.run_backup(&backend, BackupRequest::full(), &JobContext::system()).await.map(drop)
        }
    });
    let before = platform.picture();
    let report = guard(&platform, case).run(&change, &platform.context).await.unwrap();
    assert!(matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::CopiedBack)), "{report}");
    platform.picture().assert_equals(&before, case.name);

    // And a guard is not given the archiver of another server.
    let (repository, archiver) = platform.archive.clone().unwrap();
    let strange = Guard::builder(stranger.options(), std::sync::Arc::clone(&stranger.store));
    let strange = strange.archive(repository, archiver).build().unwrap();
    let error = strange.run(&change, &platform.context).await.unwrap_err().to_string();
    assert!(error.contains("the archiver stores the log of cluster"), "{error}");
    platform.stop().await;
}
