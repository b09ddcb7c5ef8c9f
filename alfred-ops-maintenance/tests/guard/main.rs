//! Destructive changes of a real Postgres with an archived log, all brought back.
//!
//! CI restores side servers for a share of them; `scripts/soak guard` for all, of every version.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod aside;
mod cut_off;
mod destruction;
mod leftovers;
mod platform;
mod refusals;
mod way_down;

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result};
use alfred_ops_maintenance::{Change, GuardOutcome, WayBack};
use sqlx::{Connection as _, Executor as _, PgConnection};

use destruction::{Back, DESTRUCTIONS, Destruction, TABLES};
use platform::Platform;

/// Runs SQL as a deployment would, outside of the guard's view.
pub(crate) async fn deploy(server: PostgresOptions, sql: &'static str) -> Result<()> {
    let failed =
        |source: sqlx::Error| Error::new(ErrorKind::Internal, "deploy", "it failed").with_source(source);
    let mut connection = PgConnection::connect(server.to_url().expose()).await.map_err(failed)?;
    connection.execute(sql).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

pub(crate) fn work(platform: &Platform, case: &Destruction) -> Change {
    let (server, up) = (platform.options(), case.up);
    Change::work(case.name, move || deploy(server.clone(), up))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_runs_in_a_transaction_is_rolled_back() {
    let platform = Platform::start().await.archived().await;
    let before = platform.picture();
    let mut worst = std::time::Duration::ZERO;
    for case in &DESTRUCTIONS {
        let guard = TABLES
            .iter()
            .fold(platform.guard(), |guard, table| guard.protect(table.parse().unwrap()))
            .verify("the application works", |_| Box::pin(async { Ok(Some("it does not".to_owned())) }))
            .build()
            .unwrap();
        let began = platform.context.clock.monotonic();
        let change = Change::sql(case.name, case.up);
        let report = guard.run(&change, &platform.context).await.unwrap();
        let took = platform.context.clock.monotonic() - began;
        worst = worst.max(took.saturating_sub(report.changed_in)).max(report.prepared_in);
        assert!(
            matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Transaction)),
            "{}: {report}",
            case.name
        );
        assert!(report.failure.as_ref().unwrap().contains("it does not"), "{report}");
        assert!(report.point.as_ref().unwrap().named, "{report}");
        platform.picture().assert_equals(&before, case.name);
        assert_eq!(guard.under_way().await.unwrap(), None);
    }
    println!("{} changes rolled back, the guard took at most {worst:.0?}", DESTRUCTIONS.len());
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_works_is_kept_and_costs_little() {
    let platform = Platform::start().await.archived().await;
    let guard = platform
        .guard()
        .protect("tasks".parse().unwrap())
        .verify_sql("there is a column", "SELECT count(weight) = 0 FROM tasks")
        .build()
        .unwrap();
    let change = Change::sql("v42", "ALTER TABLE tasks ADD COLUMN weight int");
    let plan = guard.plan(&change).to_string();
    assert!(plan.starts_with("look at the schema\nread \"public\".\"tasks\"\nmake restore point"), "{plan}");
    assert!(plan.ends_with("if that fails: roll the transaction back"), "{plan}");
    let report = guard.run(&change, &platform.context).await.unwrap().into_result().unwrap();
    assert_eq!(report.to_string(), "v42: kept");
    println!("overhead {:.0?} beside a change of {:.0?}", report.prepared_in, report.changed_in);
    let (_, archiver) = platform.archive.as_ref().unwrap();
    assert!(archiver.stored() >= report.point.unwrap().lsn, "the point was durable before the change");
    assert_eq!(platform.sql("SELECT count(*) FROM tasks WHERE weight IS NULL"), "200");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_way_down_does_not_bring_back_is_never_said_to_be_back() {
    let platform = Platform::start().await;
    for case in &DESTRUCTIONS {
        platform.renew();
        let before = platform.picture();
        let mut guard = platform.guard().verify_sql("it works", "SELECT false");
        for table in TABLES {
            guard = guard.protect(table.parse().unwrap());
        }
        if let Some(down) = case.down {
            guard = guard.down_sql(down);
        }
        let guard = guard.build().unwrap();
        let report = guard.run(&work(&platform, case), &platform.context).await.unwrap();
        match case.back {
            Back::Down => {
                assert!(
                    matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::Down)),
                    "{}: {report}",
                    case.name
                );
                platform.picture().assert_equals(&before, case.name);
            }
            Back::Sequences => {
                assert!(
                    matches!(report.outcome, GuardOutcome::BroughtBack(WayBack::NothingLeft)),
                    "{}: {report}",
                    case.name
                );
                platform.picture().assert_equals(&before, case.name);
            }
            Back::Rows | Back::Aside => {
                let GuardOutcome::Stranded { why } = &report.outcome else {
                    panic!("{}: {report}", case.name)
                };
                assert!(why.contains("no restore point was made"), "{}: {why}", case.name);
                assert!(guard.forget(case.name, &platform.context).await.unwrap(), "{}", case.name);
            }
        }
    }
}
