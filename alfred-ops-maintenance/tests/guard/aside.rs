//! What comes back from a backup that is restored aside.

use std::path::Path;
use std::time::Duration;

use alfred_ops_core::ClockExt as _;
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
