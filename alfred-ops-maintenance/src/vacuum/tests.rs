//! What is vacuumed, in which order, and why not.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::ChorePlan as _;

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
}

fn table(name: &str, live: u64, dead: u64, vacuumed: Option<i64>) -> TableUpkeep {
    let mut table = TableUpkeep::new(name.parse().unwrap());
    (table.live, table.dead) = (live, dead);
    (table.vacuumed_at, table.analyzed_at) = (vacuumed.map(day), vacuumed.map(day));
    table
}

fn facts(tables: Vec<TableUpkeep>) -> VacuumFacts {
    VacuumFacts {
        role: "ops".to_owned(),
        version: 17,
        freeze_max_age: 200_000_000,
        multixact_freeze_max_age: 400_000_000,
        tables,
        ..VacuumFacts::default()
    }
}

fn check(facts: &VacuumFacts, lines: &[&str]) {
    let plan = plan_vacuum(facts, &VacuumPolicy::default(), day(0)).to_string();
    assert_eq!(plan.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn what_is_urgent_comes_first_then_what_gains_most_and_the_rest_says_why_not() {
    let edited = |name: &str, edit: fn(&mut TableUpkeep)| {
        let mut table = table(name, 100_000, 50, Some(-1));
        edit(&mut table);
        table
    };
    let facts = facts(vec![
        table("small_gain", 90_000, 20_000, Some(-1)),
        table("large_gain", 100_000, 30_000, Some(-1)),
        table("due", 1_000_000, 1_500, Some(-8)),
        table("never", 1_000_000, 1_400, None),
        table("fresh", 1_000_000, 1_500, Some(-1)),
        table("few", 10, 500, None),
        table("empty", 10, 0, None),
        edited("old", |table| table.xid_age = 150_000_000),
        edited("multi", |table| table.multixact_age = 390_000_000),
        edited("changed", |table| table.changed = 10_000),
        edited("root", |table| (table.is_partitioned, table.analyzed_at) = (true, Some(day(-7)))),
        edited("new_root", |table| (table.is_partitioned, table.analyzed_at) = (true, None)),
        edited("fresh_root", |table| table.is_partitioned = true),
        edited("busy", |table| (table.dead, table.is_being_vacuumed) = (40_000, true)),
        edited("pg_catalog.pg_class", |table| (table.dead, table.is_catalog) = (40_000, true)),
        edited("pg_catalog.pg_proc", |table| (table.xid_age, table.is_catalog) = (199_000_000, true)),
    ]);
    check(
        &facts,
        &[
            "VACUUM (FREEZE, ANALYZE, SKIP_LOCKED, TRUNCATE false) \"pg_catalog\".\"pg_proc\": its oldest row is 199000000 \
             transactions old, autovacuum begins at 200000000",
            "VACUUM (FREEZE, ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"multi\": its oldest multixact is 390000000 \
             old, autovacuum begins at 400000000",
            "VACUUM (FREEZE, ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"old\": its oldest row is 150000000 \
             transactions old, autovacuum begins at 200000000",
            "VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"large_gain\": 30000 rows are dead, 23 %",
            "VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"small_gain\": 20000 rows are dead, 18 %",
            "VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"due\": the last VACUUM was at \
             2024-09-26 00:00:00 UTC",
            "VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"never\": it was never vacuumed",
            "ANALYZE (SKIP_LOCKED) \"public\".\"changed\": 10000 rows changed since the last ANALYZE",
            "ANALYZE (SKIP_LOCKED) \"public\".\"new_root\": autovacuum never analyzes a root of partitions, and nobody else did",
            "ANALYZE (SKIP_LOCKED) \"public\".\"root\": autovacuum never analyzes a root of partitions, and the last ANALYZE \
             was at 2024-09-27 00:00:00 UTC",
            "leave \"public\".\"fresh\": it was vacuumed at 2024-10-03 00:00:00 UTC",
            "leave \"public\".\"few\": only 500 rows are dead",
            "leave \"public\".\"busy\": somebody vacuums it now",
        ],
    );
}

#[test]
fn what_is_in_the_way_is_named() {
    let mut foreign = table("foreign", 10_000, 9_000, None);
    foreign.may_vacuum = false;
    let mut facts = facts(vec![foreign, table("own", 10_000, 9_000, None)]);
    facts.holders = vec![
        HorizonHolder::Prepared { name: "lost".to_owned(), age: 5_000_000 },
        HorizonHolder::Slot { name: "gone".to_owned(), age: 2_000_000 },
        HorizonHolder::Session { pid: 7, what: "active psql".to_owned(), age: 3 },
    ];
    let plan = plan_vacuum(&facts, &VacuumPolicy::default(), day(0));
    assert_eq!(plan.steps.len(), 1, "what it may do it does");
    assert_eq!(
        plan.obstacles(),
        [
            "1 tables may not be vacuumed, \"public\".\"foreign\" among them; run GRANT pg_maintain TO \"ops\"",
            "the prepared transaction \"lost\" holds dead rows of 5000000 transactions; commit it or roll it back",
            "the replication slot \"gone\" holds dead rows of 2000000 transactions; let its reader catch up, or drop it",
        ]
    );
    facts.version = 15;
    let plan = plan_vacuum(&facts, &VacuumPolicy::default(), day(0));
    assert!(plan.obstacles()[0].contains("before Postgres 17 only the owner may"), "{plan}");
    facts.is_standby = true;
    let plan = plan_vacuum(&facts, &VacuumPolicy::default(), day(0));
    assert!(plan.is_empty() && plan.obstacles()[0].contains("standby"), "{plan}");
}

proptest! {
    /// Whatever a table's statistics are: once it is clean, analyzed and frozen, nothing is left to do.
    #[test]
    fn what_is_done_is_not_done_again(
        live in 0u64..1 << 40, dead in 0u64..1 << 40, changed in 0u64..1 << 40, age in 0u64..1 << 32,
        vacuumed in prop::option::of(-30i64..1),
    ) {
        let mut before = table("t", live, dead, vacuumed);
        (before.changed, before.xid_age) = (changed, age);
        let plan = plan_vacuum(&facts(vec![before.clone()]), &VacuumPolicy::default(), day(0));
        if let Some(step) = plan.steps.first() {
            before.changed = 0;
            before.analyzed_at = Some(day(0));
            if !matches!(step.reason, VacuumReason::Changed { .. }) {
                (before.dead, before.vacuumed_at) = (0, Some(day(0)));
            }
            if matches!(step.reason, VacuumReason::Age { .. }) {
                before.xid_age = 0;
            }
            let again = plan_vacuum(&facts(vec![before]), &VacuumPolicy::default(), day(0));
            prop_assert!(again.steps.is_empty(), "{plan}\nand again {again}");
        }
    }
}
