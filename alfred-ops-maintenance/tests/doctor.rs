//! Planted defects are found, look-alikes are not, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

#[path = "doctor/ward.rs"]
mod ward;

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::TaskSet;
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_maintenance::{
    ChorePlan as _, DatabaseDoctor, DatabaseFault, DatabaseFinding, DatabaseRemedy, DoctorPolicy,
};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;
use ward::{Ward, cases, connect};

const VERSIONS: [u32; 3] = [15, 17, 18];

/// Small things count, and nothing has to last.
fn policy() -> DoctorPolicy {
    let mut policy = DoctorPolicy::default();
    (policy.bytes_min, policy.bloat_bytes_min) = (512 << 10, 512 << 10);
    (policy.unused_after, policy.scans_min) = (Duration::ZERO, 50);
    policy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_defect_is_found_nothing_else_is_and_the_remedies_help() {
    for version in VERSIONS {
        let cases = cases(include_str!("doctor/defects.sql"), version);
        assert!(cases.iter().map(|case| case.finds.len()).sum::<usize>() >= 70);
        let ward = Ward::open(version, &cases).await;
        let mut policy = policy();
        (policy.wal_bytes_max, policy.age_max, policy.horizon_age_max) = (1 << 20, 50_000, 4_000);
        policy.blocks_max = Duration::ZERO;
        policy.idle_in_transaction_max = Duration::ZERO;
        policy.transaction_max = Duration::from_millis(1);
        let doctor = DatabaseDoctor::new(ward.server.options(), policy);
        let diagnosis = doctor.examine().await.unwrap();
        let found: BTreeSet<(String, String)> = diagnosis
            .findings
            .iter()
            .map(|finding| (finding.fault.to_string(), finding.place.clone()))
            .collect();
        let wanted: BTreeSet<(String, String)> =
            cases.iter().flat_map(|case| case.finds.iter().cloned()).collect();
        let missed: Vec<_> = wanted.difference(&found).collect();
        let alarms: Vec<_> = found.difference(&wanted).collect();
        assert!(missed.is_empty() && alarms.is_empty(), "{version}: missed {missed:#?}, alarms {alarms:#?}");
        assert!(diagnosis.gaps.is_empty(), "{version}: {diagnosis}");
        for case in &cases {
            let of_case = diagnosis.findings.iter().filter(|finding| {
                case.finds
                    .iter()
                    .any(|(fault, place)| finding.fault.name() == fault && finding.place == *place)
            });
            let remedies: Vec<String> = of_case.map(|finding| finding.remedy.to_string()).collect();
            for text in &case.advises {
                assert!(
                    remedies.iter().any(|remedy| remedy.contains(text)),
                    "{version}: {text}: {remedies:?}"
                );
            }
        }

        let ward = ward.calm().await;
        let mut connection = connect(&ward, "postgres", "postgres").await;
        for case in &cases {
            for statement in &case.then {
                ward::run(&mut connection, statement).await.unwrap();
            }
        }
        for finding in &diagnosis.findings {
            if let DatabaseRemedy::Run(statement) = &finding.remedy {
                let done = ward::run(&mut connection, statement).await;
                assert!(done.is_ok(), "{version}: {finding}: {done:?}");
            }
        }
        let left = doctor.examine().await.unwrap().findings;
        let left = left.iter().filter(|finding| {
            let place = (finding.fault.to_string(), finding.place.clone());
            matches!(finding.remedy, DatabaseRemedy::Run(_)) && wanted.contains(&place)
        });
        let left: Vec<_> = left.map(ToString::to_string).collect();
        // A statement that was slow before stays in the count.
        let slow = DatabaseFault::MissingIndex.name();
        let left: Vec<_> = left.into_iter().filter(|text| !text.contains(slow)).collect();
        assert!(left.is_empty(), "{version}: {left:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_look_alikes_nothing_is_said() {
    for version in VERSIONS {
        let cases = cases(include_str!("doctor/look_alikes.sql"), version);
        assert!(cases.len() >= 60);
        let ward = Ward::open(version, &cases).await;
        let mut policy = policy();
        for (fault, place) in cases.iter().flat_map(|case| &case.accepts) {
            let fault = DatabaseFault::ALL.iter().find(|one| one.name() == fault).unwrap();
            policy = policy.with_accepted(*fault, place);
        }
        let diagnosis = DatabaseDoctor::new(ward.server.options(), policy).examine().await.unwrap();
        assert_eq!(diagnosis.to_string(), "nothing is wrong", "{version}");
        ward.calm().await;
    }
}

#[tokio::test]
async fn any_role_may_look_and_is_told_what_it_does_not_see() {
    let server = server(15).await;
    server.psql("CREATE ROLE guest LOGIN; CREATE TABLE t (id int); INSERT INTO t VALUES (1)").unwrap();
    let doctor = DatabaseDoctor::new(server.options().with_user("guest", None), policy());
    let text = doctor.examine().await.unwrap().to_string();
    assert!(text.contains("no-primary-key: public.t"), "{text}");
    for grant in ["pg_read_all_stats", "pg_read_all_settings", "pg_read_all_data"] {
        assert!(text.contains(&format!("run GRANT {grant} TO \"guest\"")), "{text}");
    }
    assert!(text.contains("not seen: which statements read whole tables; preload"), "{text}");
    server.psql("GRANT pg_monitor, pg_read_all_data TO guest").unwrap();
    let text = doctor.examine().await.unwrap().to_string();
    assert!(!text.contains("GRANT pg_read"), "{text}");
}

/// The lines of a diagnosis that begin with one of these faults.
async fn told(server: &PostgresServer, policy: DoctorPolicy, faults: &[DatabaseFault]) -> Vec<String> {
    let diagnosis = DatabaseDoctor::new(server.options(), policy).examine().await.unwrap();
    let findings = diagnosis.findings.iter().filter(|finding| faults.contains(&finding.fault));
    findings.map(|finding| format!("{} {}: {}", finding.fault, finding.place, finding.figures)).collect()
}

#[tokio::test]
async fn a_slot_whose_wal_is_about_to_go_is_told_before_it_is_lost() {
    for version in VERSIONS {
        let binaries = PostgresBinaries::of_version(version).unwrap();
        let builder = PostgresServer::builder_of(binaries).setting("max_slot_wal_keep_size", "1MB");
        let server = builder.setting("checkpoint_timeout", "1h").start().await.unwrap();
        server
            .psql("CREATE TABLE t (id int); SELECT pg_create_physical_replication_slot('ending', true)")
            .unwrap();
        for _ in 0..4 {
            server.psql("INSERT INTO t VALUES (1); SELECT pg_switch_wal()").unwrap();
        }
        assert_eq!(
            server.psql("SELECT wal_status FROM pg_replication_slots").unwrap(),
            "unreserved",
            "{version}"
        );
        let told = told(&server, policy(), &[DatabaseFault::IdleSlot, DatabaseFault::LostSlot]).await;
        assert_eq!(told.len(), 1, "{version}: {told:?}");
        assert!(
            told[0].starts_with("idle-slot slot ending: ")
                && told[0].ends_with("goes with the next checkpoint"),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_replica_that_keeps_up_is_healthy_and_one_that_does_not_is_behind() {
    let server = server(15).await;
    let standby = server.start_standby(&[]).await.unwrap();
    let faults = [DatabaseFault::ReplicaBehind, DatabaseFault::IdleSlot];
    server.psql("SELECT pg_create_physical_replication_slot('read', true)").unwrap();
    standby.psql("ALTER SYSTEM SET primary_slot_name = 'read'").unwrap();
    standby.psql("SELECT pg_reload_conf()").unwrap();
    while server.psql("SELECT active FROM pg_replication_slots").unwrap() != "t" {}
    server
        .psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50000)")
        .unwrap();
    let caught_up = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()";
    while server.psql(caught_up).unwrap() != "1" {}
    let mut strict = policy();
    strict.wal_bytes_max = 1 << 20;
    assert_eq!(told(&server, strict.clone(), &faults).await, Vec::<String>::new());
    standby.psql("SELECT pg_wal_replay_pause()").unwrap();
    while standby.psql("SELECT pg_get_wal_replay_pause_state()").unwrap() != "paused" {}
    server.psql("INSERT INTO t SELECT generate_series(50001, 100000)").unwrap();
    let told = told(&server, strict, &faults).await;
    assert!(
        told.len() == 1 && told[0].starts_with("replica-behind ") && told[0].ends_with("bytes behind"),
        "{told:?}"
    );
}

#[tokio::test]
async fn broken_pages_and_another_order_of_text_are_told() {
    let binaries = PostgresBinaries::of_version(15).unwrap();
    let mut server =
        PostgresServer::builder_of(binaries).initdb_arg("--data-checksums").start().await.unwrap();
    server
        .psql(
            "CREATE TABLE t (v text PRIMARY KEY); INSERT INTO t SELECT md5(g::text) FROM generate_series(1, 1000) g; \
             CREATE COLLATION ours (provider = icu, locale = 'de'); CREATE INDEX by_ours ON t (v COLLATE ours); \
             CREATE COLLATION unused (provider = icu, locale = 'fr'); CREATE COLLATION same (provider = icu, locale = 'it'); \
             CREATE INDEX by_same ON t (v COLLATE same); CHECKPOINT; \
             UPDATE pg_collation SET collversion = '1' WHERE collname IN ('ours', 'unused')",
        )
        .unwrap();
    let faults = [DatabaseFault::ChecksumFailures, DatabaseFault::CollationChanged];
    let collation = "collation-changed collation public.ours: 1 indexes sort by version 1, the system by ";
    let found = told(&server, policy(), &faults).await;
    assert!(found.len() == 1 && found[0].starts_with(collation), "{found:?}");

    let path = server.data_dir().join(server.psql("SELECT pg_relation_filepath('t')").unwrap());
    server.stop();
    let mut pages = std::fs::read(&path).unwrap();
    pages[8192 + 4000] ^= 1;
    std::fs::write(&path, pages).unwrap();
    server.restart().await.unwrap();
    server.psql("SELECT count(v) FROM t WHERE v <> 'x' AND ctid IS NOT NULL").unwrap_err();
    while server.psql("SELECT sum(checksum_failures) FROM pg_stat_database").unwrap() != "1" {}
    let found = told(&server, policy(), &faults).await;
    assert!(found.contains(&"checksum-failures database postgres: 1 pages failed".to_owned()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_vacuums_holds_no_horizon_and_who_keeps_a_snapshot_does() {
    let mut strict = policy();
    strict.horizon_age_max = 100;
    for version in VERSIONS {
        let server = server(version).await;
        server
            .psql(
                "CREATE TABLE t (id int PRIMARY KEY, body text); CREATE TABLE u (id int PRIMARY KEY); \
                 INSERT INTO t SELECT g, repeat('x', 2000) FROM generate_series(1, 4000) g; DELETE FROM t WHERE id % 2 = 0",
            )
            .unwrap();
        let mut slow = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
        let tasks = TaskSet::new(&CancellationToken::new());
        let vacuum = tasks.spawn(async move {
            slow.execute("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1").await.unwrap();
            slow.execute("VACUUM t").await.is_err()
        });
        let busy =
            "SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND query = 'VACUUM t'";
        while server.psql(busy).unwrap() != "1" {}
        let burn = "DO $$ BEGIN FOR i IN 1..200 LOOP BEGIN INSERT INTO u VALUES (1); RAISE EXCEPTION 'x'; \
            EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$";
        server.psql(burn).unwrap();
        let held = [DatabaseFault::HeldHorizon];
        assert_eq!(told(&server, strict.clone(), &held).await, Vec::<String>::new(), "{version}");
        let mut keeps = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
        keeps.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
        server.psql(burn).unwrap();
        let found = told(&server, strict.clone(), &held).await;
        assert!(
            found.len() == 1
                && found[0].starts_with("held-horizon session (idle in transaction alfred-ops): "),
            "{version}: {found:?}"
        );
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'VACUUM t'";
        assert_eq!(server.psql(end).unwrap(), "t", "{version}: it vacuums still");
        assert!(vacuum.await.unwrap());
    }
}

#[tokio::test]
async fn what_could_not_be_looked_at_this_time_is_an_obstacle_and_not_health() {
    let server = server(15).await;
    server.psql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").unwrap();
    let doctor = DatabaseDoctor::new(server.options(), policy());
    let calm = doctor.examine().await.unwrap();
    assert!(calm.is_whole() && calm.to_string().contains("no-primary-key: public.t"), "{calm}");
    let mut held = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
    held.execute("BEGIN; LOCK TABLE t").await.unwrap();
    let blocked = doctor.examine().await.unwrap();
    assert!(!blocked.is_whole(), "{blocked}");
    let text = blocked.to_string();
    assert!(text.starts_with("nothing is wrong in what was seen\n"), "{text}");
    assert!(text.contains("not seen: tables; the server is too busy; look again later"), "{text}");
    assert!(blocked.obstacles().iter().any(|obstacle| obstacle.contains("look again later")), "{text}");
    assert!(blocked.resolved_since(&calm).is_empty());
    held.execute("ROLLBACK").await.unwrap();
    server.psql("ALTER TABLE t ADD PRIMARY KEY (id)").unwrap();
    let healed = doctor.examine().await.unwrap();
    let resolved: Vec<_> = healed.resolved_since(&calm).iter().map(|finding| finding.place.clone()).collect();
    assert_eq!(resolved, ["public.t"], "{healed}");
}

#[tokio::test]
async fn a_standby_is_told_what_it_shows_and_the_rest_is_the_primarys() {
    for version in VERSIONS {
        let server = server(version).await;
        server
            .psql(
                "CREATE TABLE t (id int PRIMARY KEY, a int, b int); \
                 INSERT INTO t SELECT g, g, g FROM generate_series(1, 40000) g; \
                 CREATE INDEX one ON t (a); CREATE INDEX two ON t (a); CREATE INDEX unread ON t (b); ANALYZE t",
            )
            .unwrap();
        let standby = server.start_standby(&[]).await.unwrap();
        let faults = [DatabaseFault::UnusedIndex];
        let found = told(&server, policy(), &faults).await;
        assert!(
            found.iter().any(|text| text.starts_with("unused-index public.unread: ")),
            "{version}: {found:?}"
        );
        let diagnosis = DatabaseDoctor::new(standby.options(), policy()).examine().await.unwrap();
        let text = diagnosis.to_string();
        assert!(!text.contains("unread"), "{version}: {text}");
        assert!(
            text.contains("on the primary run DROP INDEX CONCURRENTLY \"public\".\"two\""),
            "{version}: {text}"
        );
        assert!(text.contains("look at the primary"), "{version}: {text}");
        let may_run = |finding: &DatabaseFinding| matches!(finding.remedy, DatabaseRemedy::Run(_));
        assert!(!diagnosis.findings.iter().any(may_run), "{version}: {text}");
        assert!(diagnosis.is_whole(), "{version}: {text}");
    }
}

#[tokio::test]
async fn commits_hang_if_one_of_two_synchronous_standbys_is_missing() {
    let server = server(17).await;
    let _standby = server.start_standby(&[]).await.unwrap();
    let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
    let figures = async |names: &str, commit: &str| {
        for (name, value) in [("synchronous_standby_names", names), ("synchronous_commit", commit)] {
            server.psql(&format!("ALTER SYSTEM SET {name} = '{value}'")).unwrap();
        }
        server.psql("SELECT pg_reload_conf()").unwrap();
        while server.psql("SHOW synchronous_standby_names").unwrap() != names {}
        while server.psql("SHOW synchronous_commit").unwrap() != commit {}
        while server.psql(synchronous).unwrap() != "1" {}
        told(&server, policy(), &[DatabaseFault::MissingSynchronous]).await
    };
    let text = |names: &str| {
        format!(
            "missing-synchronous server: synchronous_standby_names is '{names}', and 1 of 2 are connected"
        )
    };
    for names in ["FIRST 2 (*)", "any 2(*)", "2 (*)"] {
        assert_eq!(figures(names, "on").await, [text(names)], "{names}");
        assert_eq!(figures(names, "local").await, Vec::<String>::new(), "{names}");
    }
    for names in ["*", "FIRST 1 (*)", "ANY 1 (*, ghost)"] {
        assert_eq!(figures(names, "on").await, Vec::<String>::new(), "{names}");
    }
}

#[tokio::test]
async fn a_domain_is_checked_at_once_only_where_that_keeps_nobody_from_writing() {
    for version in VERSIONS {
        let server = server(version).await;
        server
            .psql(
                "CREATE DOMAIN label AS text; CREATE TABLE t (id int PRIMARY KEY, n label); \
                 ALTER DOMAIN label ADD CONSTRAINT short CHECK (length(VALUE) < 9) NOT VALID",
            )
            .unwrap();
        let diagnosis = DatabaseDoctor::new(server.options(), policy()).examine().await.unwrap();
        let remedy = &diagnosis.findings[0].remedy;
        let mut writer = PgConnection::connect(server.options().to_url().expose()).await.unwrap();
        writer.execute("BEGIN; INSERT INTO t VALUES (1, 'x')").await.unwrap();
        let done = server
            .psql("SET lock_timeout = '50ms'; ALTER DOMAIN public.label VALIDATE CONSTRAINT short")
            .is_ok();
        assert_eq!(done, matches!(remedy, DatabaseRemedy::Run(_)), "{version}: {remedy}");
        let statement = "ALTER DOMAIN public.label VALIDATE CONSTRAINT short";
        assert!(remedy.to_string().ends_with(statement), "{version}: {remedy}");
    }
}

async fn server(version: u32) -> PostgresServer {
    PostgresServer::builder_of(PostgresBinaries::of_version(version).unwrap()).start().await.unwrap()
}
