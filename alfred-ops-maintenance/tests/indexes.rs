//! Indexes that cost and do not serve, and those that are missing, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod hooked;
mod postgres;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{JobContext, MemoryStateStore, TaskSet};
use alfred_ops_maintenance::{Caretaker, ChoreOutcome, ChoreRecord, IndexCare, IndexPolicy, Rebuilds};
use hooked::Hooked;
use postgres::{VERSIONS, server};
use sqlx::{Connection as _, Executor as _, PgConnection};

#[tokio::test]
async fn failed_builds_are_mended_and_what_others_do_as_well_goes() {
    for version in VERSIONS {
        let server = server(version).await;
        for statement in [
            "CREATE TABLE t (a int PRIMARY KEY, b int, c text, d int)",
            "INSERT INTO t SELECT g, g, g, 1 FROM generate_series(1, 100) g",
            "CREATE INDEX a_again ON t (a)",
            "CREATE INDEX b ON t (b); CREATE INDEX b_c ON t (b, c)",
            // Look-alikes: another order, another class, a part, a lower case, a method.
            "CREATE INDEX c ON t (c); CREATE INDEX c_pattern ON t (c text_pattern_ops)",
            "CREATE INDEX c_part ON t (c) WHERE b > 5; CREATE INDEX c_lower ON t (lower(c)); CREATE INDEX c_hash ON t USING hash (c)",
            "CREATE INDEX b_down ON t (b DESC NULLS LAST)",
        ] {
            server.psql(statement).unwrap();
        }
        // Neither build succeeds: the first never can, the second can later.
        server.psql("CREATE UNIQUE INDEX CONCURRENTLY d_unique ON t (d)").unwrap_err();
        server.psql("CREATE INDEX halves ON t (d, c)").unwrap();
        server.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'halves'::regclass").unwrap();
        let care = |policy| care(&server, policy);
        let names = "SELECT string_agg(c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END, ', ' ORDER BY c.relname) \
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 't'::regclass";
        let run = care(IndexPolicy::default().with_drops()).run(&JobContext::system()).await.unwrap();
        let record = run.record().unwrap();
        let ChoreOutcome::Ineffective { reason } = &record.outcome else { panic!("{version}: {record:?}") };
        assert!(reason.contains("REINDEX INDEX CONCURRENTLY \"public\".\"d_unique\""), "{version}: {reason}");
        assert!(!reason.contains("ccnew"), "{version}: what the build left is gone: {reason}");
        server.psql("UPDATE t SET d = a").unwrap();
        let run = care(IndexPolicy::default().with_drops()).run(&JobContext::system()).await.unwrap();
        assert_eq!(run.record().unwrap().outcome, ChoreOutcome::Finished, "{version}: {run:?}");
        let left = server.psql(names).unwrap();
        let wanted = "b_c, b_down, c, c_hash, c_lower, c_part, c_pattern, d_unique, halves, t_pkey";
        assert_eq!(left, wanted, "{version}: {run:?}");
    }
}

fn care(server: &PostgresServer, policy: IndexPolicy) -> Caretaker<IndexCare> {
    IndexCare::new(server.options(), policy).caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

async fn record(care: &Caretaker<IndexCare>) -> ChoreRecord {
    care.run(&JobContext::system()).await.unwrap().record().unwrap().clone()
}

/// Small things count.
fn policy() -> IndexPolicy {
    let mut policy =
        IndexPolicy::default().with_bloat(0.4, 256 << 10).with_lock_wait(Duration::from_millis(50));
    policy.table_bytes_min = 64 << 10;
    policy
}

/// A table whose index is mostly empty, and one that refers to it without an index.
fn bloat(server: &PostgresServer) {
    for statement in [
        "CREATE EXTENSION pgstattuple",
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        "INSERT INTO t SELECT g, g FROM generate_series(1, 100000) g",
        "CREATE INDEX v ON t (v)",
        "DELETE FROM t WHERE id % 5 > 0",
        "VACUUM ANALYZE t",
        "REINDEX INDEX t_pkey",
        "CREATE TABLE refers (id int PRIMARY KEY, t_id int REFERENCES t, \"Other\" int REFERENCES t)",
        "INSERT INTO refers SELECT g, g * 5, g * 5 FROM generate_series(1, 20000) g; ANALYZE refers",
    ] {
        server.psql(statement).unwrap();
    }
}

const LEFT: &str = "SELECT count(*) FROM pg_index i WHERE NOT indisvalid";
const SIZE: &str = "SELECT pg_relation_size('v')";

async fn connect(server: &PostgresServer) -> PgConnection {
    PgConnection::connect(server.options().to_url().expose()).await.unwrap()
}

#[tokio::test]
async fn bloated_indexes_are_rebuilt_and_foreign_keys_get_theirs_on_demand() {
    for version in VERSIONS {
        let server = server(version).await;
        bloat(&server);
        let size = |server: &PostgresServer| server.psql(SIZE).unwrap().parse::<u64>().unwrap();
        let before = size(&server);
        let dry = care(&server, policy()).plan(&JobContext::system()).await.unwrap().to_string();
        assert!(
            dry.starts_with("REINDEX INDEX CONCURRENTLY \"public\".\"v\": a new one would take "),
            "{version}: {dry}"
        );
        assert!(
            dry.contains("(measured)")
                && dry.contains(
                    "the foreign key refers_t_id_fkey of public.refers has no index; \
            the policy does not ask for it"
                ),
            "{version}: {dry}"
        );
        let promised: u64 =
            dry.split_once("would take ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();

        let done = record(&care(&server, policy().with_creates())).await;
        assert_eq!(done.outcome, ChoreOutcome::Finished, "{version}: {done:?}");
        let after = size(&server);
        assert!(
            after * 2 < before && after.abs_diff(promised) * 10 < after,
            "{version}: {before} to {after}, not {promised}"
        );
        let columns = server
            .psql("SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes WHERE indexname LIKE '%fk_idx'")
            .unwrap();
        assert_eq!(
            columns,
            "CREATE INDEX \"refers_Other_fk_idx\" ON public.refers USING btree (\"Other\"); \
             CREATE INDEX refers_t_id_fk_idx ON public.refers USING btree (t_id)",
            "{version}"
        );
        let again =
            care(&server, policy().with_creates()).plan(&JobContext::system()).await.unwrap().to_string();
        assert!(again.starts_with("nothing to do to indexes"), "{version}: {again}");
    }
}

#[tokio::test]
async fn what_is_only_estimated_is_rebuilt_on_demand_and_nothing_over_the_bound() {
    let server = server(15).await;
    bloat(&server);
    server.psql("DROP EXTENSION pgstattuple").unwrap();
    let plan = async |policy| care(&server, policy).plan(&JobContext::system()).await.unwrap().to_string();
    let text = plan(policy()).await;
    assert!(text.contains("(estimated), beside it until it is done; an estimate is not enough"), "{text}");
    let text = plan(policy().with_rebuilds(Rebuilds::Estimated)).await;
    assert!(text.contains("REINDEX INDEX CONCURRENTLY \"public\".\"v\": a new one"), "{text}");
    let text = plan(policy().with_rebuilds(Rebuilds::Estimated).with_build_bytes_max(1)).await;
    assert!(
        text.starts_with("nothing to do to indexes") && text.contains("at most 1 bytes may be built"),
        "{text}"
    );
}

#[tokio::test]
async fn a_build_that_gets_no_lock_is_tried_again_and_leaves_nothing() {
    for version in VERSIONS {
        let server = server(version).await;
        bloat(&server);
        let mut other = connect(&server).await;
        // A transaction that has written waits for nobody, and a build for its end.
        other.execute("BEGIN; UPDATE t SET v = v WHERE id = 5").await.unwrap();
        let held = record(&care(&server, policy().with_creates())).await;
        assert!(matches!(held.outcome, ChoreOutcome::Ineffective { .. }), "{version}: {held:?}");
        assert!(
            held.figures.notes.iter().any(|note| note.contains("somebody held its table all the time")),
            "{held:?}"
        );
        // What a clean-up could not take away either the next run does.
        other.execute("COMMIT").await.unwrap();
        let done = record(&care(&server, policy().with_creates())).await;
        assert_eq!(done.outcome, ChoreOutcome::Finished, "{version}: {done:?}");
        assert_eq!(server.psql(LEFT).unwrap(), "0", "{version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_builds_of_others_and_mends_what_a_killed_one_left() {
    for version in VERSIONS {
        let server = server(version).await;
        bloat(&server);
        let (mut holder, mut builder) = (connect(&server).await, connect(&server).await);
        holder.execute("BEGIN; UPDATE t SET v = v WHERE id = 5").await.unwrap();
        let tasks = TaskSet::new(&tokio_util::sync::CancellationToken::new());
        let build = tasks.spawn(async move {
            builder.execute("SET application_name = 'rival'").await.unwrap();
            builder.execute("REINDEX INDEX CONCURRENTLY v").await.unwrap_err();
        });
        let mut builds = String::new();
        while !builds.contains("waiting") {
            builds = server.psql("SELECT string_agg(phase, ' ') FROM pg_stat_progress_create_index").unwrap();
        }
        let plan =
            care(&server, policy().with_creates()).plan(&JobContext::system()).await.unwrap().to_string();
        assert!(plan.starts_with("nothing to do to indexes"), "{version}: {plan}");
        assert!(plan.contains("another session builds an index"), "{version}: {plan}");
        server
            .psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rival'")
            .unwrap();
        build.await.unwrap();
        holder.execute("COMMIT").await.unwrap();
        assert_eq!(server.psql(LEFT).unwrap(), "1", "{version}");
        let done = record(&care(&server, policy().with_creates())).await;
        assert_eq!(done.outcome, ChoreOutcome::Finished, "{version}: {done:?}");
        assert_eq!(server.psql(LEFT).unwrap(), "0", "{version}");
    }
}

#[tokio::test]
async fn a_build_that_fails_keeps_no_other_from_being_done() {
    for version in VERSIONS {
        let server = server(version).await;
        for statement in [
            "CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g",
            "CREATE FUNCTION raises(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN x; END'",
            "CREATE INDEX broken ON t (raises(a)); CREATE INDEX whole ON t (b)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('broken'::regclass, 'whole'::regclass)",
            "CREATE OR REPLACE FUNCTION raises(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN \
             RAISE 'no' USING ERRCODE = '22012'; END $$",
        ] {
            server.psql(statement).unwrap();
        }
        let error = care(&server, policy()).run(&JobContext::system()).await.unwrap_err().full();
        assert!(error.contains("1 steps failed: \"public\".\"broken\""), "{version}: {error}");
        let left = server
            .psql("SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE NOT indisvalid")
            .unwrap();
        assert_eq!(left, "broken", "{version}: what the build left is gone and the other one is done");
    }
}

#[tokio::test]
async fn what_a_failed_build_left_is_not_built_again_beyond_the_bound() {
    for version in VERSIONS {
        let server = server(version).await;
        bloat(&server);
        server.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'v'::regclass").unwrap();
        let size: u64 = server.psql("SELECT pg_table_size('t')").unwrap().parse().unwrap();
        let bounded = IndexPolicy::default().with_build_bytes_max(size - 1);
        let done = record(&care(&server, bounded)).await;
        assert_eq!(done.figures.steps, 0, "{version}: {done:?}");
        let told = format!("its build failed; it is written and never read; at most {} bytes", size - 1);
        assert!(done.plan.contains(&told), "{version}: {}", done.plan);
        let done = record(&care(&server, bounded.with_build_bytes_max(size))).await;
        assert_eq!(done.outcome, ChoreOutcome::Finished, "{version}: {done:?}");
        assert_eq!(server.psql(LEFT).unwrap(), "0", "{version}");
    }
}

#[tokio::test]
async fn unique_indexes_of_other_rules_are_no_duplicates() {
    for version in VERSIONS {
        let server = server(version).await;
        for statement in [
            "CREATE TABLE t (a int, b int, c int NOT NULL)",
            "CREATE UNIQUE INDEX a_plain ON t (a); CREATE UNIQUE INDEX a_nulls ON t (a) NULLS NOT DISTINCT",
            "ALTER TABLE t ADD CONSTRAINT b_late UNIQUE (b) DEFERRABLE; CREATE UNIQUE INDEX b_plain ON t (b)",
            "CREATE UNIQUE INDEX c_plain ON t (c); CREATE UNIQUE INDEX c_again ON t (c)",
        ] {
            server.psql(statement).unwrap();
        }
        let done = record(&care(&server, IndexPolicy::default().with_drops())).await;
        assert_eq!(done.outcome, ChoreOutcome::Finished, "{version}: {done:?}");
        assert_eq!(
            server.psql("SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 't'").unwrap(),
            "a_nulls a_plain b_late b_plain c_plain",
            "{version}: {done:?}"
        );
    }
}

#[tokio::test]
async fn what_others_do_as_well_stays_when_they_are_gone_or_broken() {
    for version in VERSIONS {
        let server = Arc::new(server(version).await);
        for statement in [
            "CREATE TABLE t (a int, b int, c int)",
            "CREATE INDEX a ON t (a); CREATE INDEX a_again ON t (a)",
            "CREATE INDEX b ON t (b); CREATE INDEX b_c ON t (b, c)",
            "CREATE INDEX c ON t (c); CREATE INDEX c_again ON t (c)",
        ] {
            server.psql(statement).unwrap();
        }
        let also = Arc::clone(&server);
        let chore =
            Hooked::new(IndexCare::new(server.options(), IndexPolicy::default().with_drops()), async move {
                also.psql("DROP INDEX a").unwrap();
                also.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'b_c'::regclass")
                    .unwrap();
            });
        let care = Caretaker::builder(chore, Arc::new(MemoryStateStore::default())).build().unwrap();
        let run = care.run(&JobContext::system()).await.unwrap();
        let done = run.record().unwrap();
        assert_eq!(done.plan.matches("DROP INDEX CONCURRENTLY").count(), 3, "{version}: {done:?}");
        assert_eq!(done.figures.steps, 1, "{version}: {done:?}");
        assert_eq!(done.figures.notes.iter().filter(|note| note.contains("is not what it was")).count(), 2);
        assert_eq!(
            server.psql("SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 't'").unwrap(),
            "a_again b b_c c",
            "{version}: {done:?}"
        );
    }
}
