//! VACUUM and its guard on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod postgres;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{JobContext, MemoryStateStore, PostgresOptions};
use alfred_ops_maintenance::{
    Budget, Caretaker, ChoreOutcome, ChorePlan as _, ChoreRecord, Stop, Vacuum, VacuumPolicy,
};
use postgres::{VERSIONS, server};

fn caretaker(server: PostgresOptions, edit: impl FnOnce(&mut VacuumPolicy)) -> Caretaker<Vacuum> {
    let mut policy = VacuumPolicy::default();
    edit(&mut policy);
    Vacuum::new(server, policy).caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

async fn run(caretaker: &Caretaker<Vacuum>) -> ChoreRecord {
    caretaker.run(&JobContext::system()).await.unwrap().record().unwrap().clone()
}

/// A table of 10,000 rows, of which so many are dead.
fn make(server: &PostgresServer, table: &str, dead: u32) {
    server
        .psql(&format!(
            "CREATE TABLE {table} AS SELECT g AS id, repeat('x', 100) AS x FROM generate_series(1, 10000) g; \
             DELETE FROM {table} WHERE id <= {dead}"
        ))
        .unwrap();
    // Statistics arrive when the session ends.
    while server
        .psql(&format!("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = '{table}'"))
        .unwrap()
        != dead.to_string()
    {}
}

fn dead(server: &PostgresServer) -> String {
    server
        .psql(
            "SELECT string_agg(relname || ' ' || n_dead_tup, ', ' ORDER BY relname) FROM pg_stat_user_tables",
        )
        .unwrap()
}

#[tokio::test]
async fn dead_rows_are_removed_where_it_pays_and_the_horizon_s_holder_is_named() {
    for version in VERSIONS {
        let server = server(version).await;
        make(&server, "part", 3_000);
        make(&server, "most", 9_000);
        make(&server, "few", 500);
        let weekly = caretaker(server.options(), |policy| policy.horizon_age_max = 1);
        let plan = weekly.plan(&JobContext::system()).await.unwrap();
        let tables: Vec<_> = plan.steps.iter().map(|step| step.table.table().to_owned()).collect();
        assert_eq!(tables, ["most", "part", "few"], "{version}: {plan}");
        let record = run(&weekly).await;
        assert_eq!(
            (&record.outcome, record.figures.work),
            (&ChoreOutcome::Finished, 12_000),
            "{version}: {record:?}"
        );
        assert_eq!(dead(&server), "few 500, most 0, part 0");

        server.psql("BEGIN; CREATE TABLE held (); PREPARE TRANSACTION 'lost'").unwrap();
        make(&server, "stuck", 4_000);
        let record = run(&weekly).await;
        let ChoreOutcome::Ineffective { reason } = record.outcome else { panic!("{version}: {record}") };
        assert!(reason.contains("the prepared transaction \"lost\" holds dead rows"), "{version}: {reason}");
        assert!(reason.contains("\"public\".\"stuck\": 4000 rows are dead"), "{version}: {reason}");
        server.psql("ROLLBACK PREPARED 'lost'").unwrap();
        assert_eq!(run(&weekly).await.outcome, ChoreOutcome::Finished);
    }
}

#[tokio::test]
async fn a_role_does_what_it_may_and_says_what_it_lacks() {
    for version in VERSIONS {
        let server = server(version).await;
        make(&server, "ours", 5_000);
        make(&server, "theirs", 5_000);
        server.psql("CREATE ROLE guest LOGIN; ALTER TABLE ours OWNER TO guest").unwrap();
        let guest = caretaker(server.options().with_user("guest", None), |_| {});
        let record = run(&guest).await;
        let ChoreOutcome::Ineffective { reason } = record.outcome else { panic!("{version}: {record}") };
        assert!(
            reason.contains("1 tables may not be vacuumed, \"public\".\"theirs\""),
            "{version}: {reason}"
        );
        assert_eq!(dead(&server), "ours 0, theirs 5000", "{version}");
        if version >= 17 {
            assert!(reason.contains("run GRANT pg_maintain TO \"guest\""), "{reason}");
            server.psql("GRANT pg_maintain TO guest").unwrap();
            assert_eq!(run(&guest).await.outcome, ChoreOutcome::Finished, "{version}");
        }
    }
}

#[tokio::test]
async fn old_rows_are_frozen_before_autovacuum_has_to() {
    let server = server(18).await;
    make(&server, "old", 0);
    let guard = caretaker(server.options(), |policy| policy.freeze_share = 1e-9);
    let plan = guard.plan(&JobContext::system()).await.unwrap();
    assert!(
        plan.to_string().contains("VACUUM (FREEZE, ANALYZE, SKIP_LOCKED, TRUNCATE false) \"public\".\"old\""),
        "{plan}"
    );
    let age = || {
        let age = server.psql("SELECT age(relfrozenxid) FROM pg_class WHERE relname = 'old'").unwrap();
        age.parse::<u32>().unwrap()
    };
    let pass = "DO $$ BEGIN FOR i IN 1..300 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
    server.psql(pass).unwrap();
    assert!(age() >= 300);
    run(&guard).await;
    assert!(age() < 100, "{} transactions have passed since it was frozen", age());
}

#[tokio::test]
async fn a_run_out_of_time_ends_its_vacuum_and_somebody_s_lock_is_not_waited_for() {
    let server = server(17).await;
    make(&server, "slow", 9_000);
    make(&server, "locked", 8_000);
    // A sleep after each page.
    let policy = VacuumPolicy::default();
    let mut slow = policy;
    (slow.cost_limit, slow.cost_delay) = (1, Duration::from_millis(100));
    let hurried = Vacuum::new(server.options(), slow)
        .caretaker(Arc::new(MemoryStateStore::default()))
        .budget(Budget::default().with_time(Duration::from_millis(400)))
        .build()
        .unwrap();
    assert_eq!(run(&hurried).await.outcome, ChoreOutcome::Stopped(Stop::TimeSpent));
    assert_eq!(server.psql("SELECT count(*) FROM pg_stat_progress_vacuum").unwrap(), "0", "it was ended");

    server.psql("BEGIN; LOCK TABLE locked IN SHARE MODE; PREPARE TRANSACTION 'lock'").unwrap();
    let weekly = caretaker(server.options(), |_| {});
    let record = run(&weekly).await;
    assert!(record.outcome.to_string().contains("\"public\".\"locked\": 8000 rows are dead"), "{record}");
    assert!(dead(&server).contains("slow 0"), "{}", dead(&server));
    assert!(weekly.plan(&JobContext::system()).await.unwrap().obstacles().is_empty());
}

#[tokio::test]
async fn a_root_of_partitions_is_analyzed_and_a_step_that_fails_keeps_no_other_from_being_done() {
    for version in VERSIONS {
        let server = server(version).await;
        server
            .psql(
                "CREATE TABLE root (id int, x int) PARTITION BY HASH (id); \
                 CREATE TABLE leaf PARTITION OF root FOR VALUES WITH (MODULUS 1, REMAINDER 0); \
                 CREATE TABLE empty_root (id int) PARTITION BY HASH (id); \
                 CREATE TABLE no_leaf PARTITION OF empty_root FOR VALUES WITH (MODULUS 1, REMAINDER 0); \
                 INSERT INTO root SELECT g, g FROM generate_series(1, 100) g",
            )
            .unwrap();
        // An expression that an ANALYZE evaluates, and that raises from then on.
        server
            .psql(
                "CREATE TABLE broken (id int, x int); \
                 CREATE FUNCTION raises(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN x; END'; \
                 CREATE INDEX ON broken (raises(x)); INSERT INTO broken SELECT g, g FROM generate_series(1, 10000) g",
            )
            .unwrap();
        server.psql("DELETE FROM broken WHERE id <= 9000").unwrap();
        let raises = "CREATE OR REPLACE FUNCTION raises(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN \
            RAISE 'no' USING ERRCODE = '22012'; END $$";
        server.psql(raises).unwrap();
        make(&server, "fine", 2_000);
        let weekly = caretaker(server.options(), |_| {});
        let plan = weekly.plan(&JobContext::system()).await.unwrap();
        assert!(plan.steps.first().unwrap().table.table() == "broken" && plan.steps.len() == 4, "{plan}");
        let error = weekly.run(&JobContext::system()).await.unwrap_err().full();
        assert!(
            error.contains("1 steps failed: \"public\".\"broken\"") && error.contains("22012"),
            "{error}"
        );
        assert!(dead(&server).contains("fine 0"), "{version}: {}", dead(&server));
        let roots = "SELECT count(*) FROM pg_stat_user_tables WHERE relname LIKE '%root' AND last_analyze IS NOT NULL";
        assert_eq!(server.psql(roots).unwrap(), "2", "{version}");
        let plan = weekly.plan(&JobContext::system()).await.unwrap();
        assert!(!plan.to_string().contains("root"), "{version}: {plan}");
    }
}

#[tokio::test]
async fn a_vacuum_that_outlasts_its_run_comes_last_in_the_next_and_is_told_when_it_never_fits() {
    let server = server(17).await;
    make(&server, "slow", 9_000);
    make(&server, "quick", 1_000);
    server.psql("DELETE FROM slow WHERE id <= 9500").unwrap();
    let mut policy = VacuumPolicy::default();
    (policy.cost_limit, policy.cost_delay) = (1, Duration::from_millis(100));
    let hurried = Vacuum::new(server.options(), policy)
        .caretaker(Arc::new(MemoryStateStore::default()))
        .budget(Budget::default().with_time(Duration::from_millis(400)))
        .build()
        .unwrap();
    let first = run(&hurried).await;
    assert_eq!(first.outcome, ChoreOutcome::Stopped(Stop::TimeSpent), "{first:?}");
    assert_eq!(first.figures.cut_off, ["\"public\".\"slow\""]);
    // Next the other one gets its turn, and is cut off as well.
    let second = run(&hurried).await;
    assert_eq!(second.figures.cut_off, ["\"public\".\"quick\""], "{second:?}");
    server.psql("DROP TABLE quick").unwrap();
    assert_eq!(run(&hurried).await.outcome, ChoreOutcome::Stopped(Stop::TimeSpent));
    let error = hurried.run(&JobContext::system()).await.unwrap_err();
    assert!(
        error.full().contains("\"public\".\"slow\" takes longer than the 0 s of a run"),
        "{}",
        error.full()
    );
}
