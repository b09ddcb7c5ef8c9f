//! Planted defects are found, look-alikes are not, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

#[path = "doctor/ward.rs"]
mod ward;

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_maintenance::{DatabaseDoctor, DatabaseFault, DatabaseRemedy, DoctorPolicy};
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

async fn server(version: u32) -> PostgresServer {
    PostgresServer::builder_of(PostgresBinaries::of_version(version).unwrap()).start().await.unwrap()
}
