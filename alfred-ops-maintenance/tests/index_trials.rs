//! Indexes that are not there, asked of the planner by the extension `hypopg`, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{JobContext, MemoryStateStore};
use alfred_ops_maintenance::{
    Chore as _, ChoreOutcome, DatabaseDoctor, DatabaseFault, DoctorPolicy, IndexCare, IndexFacts,
    IndexPolicy, WantedIndex,
};

/// The percentage that our estimate may be off the index that is built then: short texts of nearly one length are told 10 too
/// large, all others to within 1.
const OFF_PERCENT_MAX: f64 = 12.0;

const VERSIONS: [u32; 3] = [15, 17, 18];
/// The one that Debian has the extension for.
const WITH_HYPOPG: u32 = 15;

const ROWS: u32 = 60_000;

/// Each asks for a few rows and reads all.
const STATEMENTS: [&str; 7] = [
    "SELECT body FROM t WHERE a = 77",
    "SELECT a FROM t WHERE b = 'nobody'",
    "SELECT a FROM t WHERE at > '2001-01-01' ORDER BY a",
    "UPDATE t SET body = 'y' WHERE \"U u\" = -1 AND v = 5",
    "SELECT body FROM t WHERE a = same(77)",
    // The operator of its type is elsewhere.
    "SELECT body FROM t WHERE c = 'Nobody'",
    // One in 25 rows has this value, and every page has one of them.
    "SELECT body FROM t WHERE k = 3 AND length(body) = 99",
];

async fn server(version: u32) -> PostgresServer {
    let binaries = PostgresBinaries::of_version(version).unwrap();
    let server = PostgresServer::builder_of(binaries)
        .setting("autovacuum", "off")
        .setting("track_functions", "all")
        .setting("shared_preload_libraries", "pg_stat_statements")
        .start()
        .await
        .unwrap();
    server
        .psql(&format!(
            "CREATE EXTENSION pg_stat_statements; CREATE SCHEMA \"My types\"; CREATE EXTENSION citext SCHEMA \"My types\"; \
             CREATE TABLE t (id int PRIMARY KEY, a int, b text, at timestamptz, \"U u\" bigint, v int, k int, body text, c \"My types\".citext); \
             INSERT INTO t SELECT g, g % 5000, md5(g::text), 'epoch'::timestamptz + g * interval '1 s', \
             g::bigint * 7919 % 1000003, g % 7000, g % 25, repeat('x', 30), 'n' || g FROM generate_series(1, {ROWS}) g; \
             CREATE FUNCTION same(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN x; END'"
        ))
        .unwrap();
    server.psql("VACUUM ANALYZE t").unwrap();
    for statement in STATEMENTS {
        server.psql(&vec![statement; 60].join("; ")).unwrap();
    }
    server
}

fn policy() -> IndexPolicy {
    let mut policy = IndexPolicy::default();
    (policy.table_bytes_min, policy.scan_calls_min) = (64 << 10, 50);
    policy
}

async fn look(server: &PostgresServer) -> IndexFacts {
    IndexCare::new(server.options(), policy()).inspect(&JobContext::system()).await.unwrap()
}

async fn plan(server: &PostgresServer, policy: IndexPolicy) -> String {
    let care = IndexCare::new(server.options(), policy).caretaker(Arc::new(MemoryStateStore::default()));
    care.build().unwrap().plan(&JobContext::system()).await.unwrap().to_string()
}

fn columns(wanted: &WantedIndex) -> String {
    wanted.columns.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a test")]
fn percent_over(bytes: u64, truth: u64) -> f64 {
    (bytes as f64 / truth as f64 - 1.0) * 100.0
}

/// How far our sizes are off what was built, and hypopg's beside them in words.
fn offs(server: &PostgresServer, wanted: &[WantedIndex]) -> Vec<(f64, String)> {
    let built = wanted.iter().filter(|wanted| columns(wanted) != "k").map(|wanted| {
        let name = format!("t_{}_scan_idx", wanted.columns.join("_"));
        let real = server.psql(&format!("SELECT pg_relation_size('\"{name}\"')")).unwrap().parse().unwrap();
        let ours = percent_over(wanted.bytes.unwrap(), real);
        let theirs = percent_over(wanted.trial.as_ref().unwrap().bytes, real);
        (ours, format!("{name}: {real} bytes, ours {ours:+.1} %, hypopg's {theirs:+.1} %"))
    });
    built.collect()
}

#[tokio::test]
async fn what_scans_lack_is_tried_without_a_disk_and_built_where_it_helps() {
    let server = server(WITH_HYPOPG).await;
    server.psql("CREATE EXTENSION hypopg").unwrap();
    let relations = server.psql("SELECT count(*) FROM pg_class").unwrap();
    let calls = "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'same'";
    let called = server.psql(calls).unwrap();
    let facts = look(&server).await;
    assert_eq!(server.psql("SELECT count(*) FROM pg_class").unwrap(), relations);
    assert_eq!(server.psql(calls).unwrap(), called, "somebody's function ran in our name");
    let mut found: Vec<String> = facts.wanted.iter().map(columns).collect();
    found.sort();
    assert_eq!(found, ["U u, v", "a", "at", "b", "c", "k"], "{:?}", facts.gaps);
    assert!(facts.gaps.is_empty(), "{:?}", facts.gaps);
    for wanted in &facts.wanted {
        let (gain, columns) = (wanted.trial.as_ref().unwrap().gain(), columns(wanted));
        assert_eq!(gain >= 5.0, columns != "k", "{wanted:?}");
    }

    let care = IndexCare::new(server.options(), policy().with_scan_creates(5.0));
    let care = care.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap();
    let done = care.run(&JobContext::system()).await.unwrap();
    assert_eq!(done.record().unwrap().outcome, ChoreOutcome::Finished, "{done:?}");
    let offs = offs(&server, &facts.wanted);
    println!("{offs:#?}");
    assert!(offs.iter().all(|(ours, _)| ours.abs() <= OFF_PERCENT_MAX), "{offs:#?}");
    let after = server.psql("EXPLAIN SELECT body FROM t WHERE a = 77").unwrap();
    assert!(after.contains("t_a_scan_idx"), "{after}");
    let left = plan(&server, policy().with_scan_creates(5.0)).await;
    assert!(left.starts_with("nothing to do to indexes\nsee \"public\".\"t_k_scan_idx\""), "{left}");
    assert!(left.contains("the policy wants the cost to fall further"), "{left}");
}

#[tokio::test]
async fn the_planner_has_the_last_word_and_the_doctor_repeats_it() {
    let server = server(WITH_HYPOPG).await;
    let mut policy = DoctorPolicy::default();
    (policy.bytes_min, policy.scans_min) = (64 << 10, 50);
    let told = async || {
        let found = DatabaseDoctor::new(server.options(), policy.clone()).examine().await.unwrap().findings;
        let found = found.iter().filter(|finding| finding.fault == DatabaseFault::MissingIndex);
        found.map(ToString::to_string).collect::<Vec<String>>()
    };
    let before = told().await;
    assert_eq!(before.len(), 6, "{before:#?}");
    assert!(before.iter().all(|text| !text.contains("the planner's cost")), "{before:#?}");
    server.psql("CREATE EXTENSION hypopg").unwrap();
    let with = told().await;
    assert_eq!(with.len(), 6, "{with:#?}");
    assert!(with.iter().all(|text| text.contains("; the planner's cost would fall from ")), "{with:#?}");
    server
        .psql("ALTER DATABASE postgres SET enable_bitmapscan = off; ALTER DATABASE postgres SET enable_indexscan = off")
        .unwrap();
    assert_eq!(told().await, [""; 0]);
}

#[tokio::test]
async fn without_the_extension_or_the_right_to_read_nothing_is_tried_or_built() {
    for version in VERSIONS {
        let server = server(version).await;
        let text = plan(&server, policy().with_scan_creates(1.0)).await;
        assert!(text.starts_with("nothing to do to indexes"), "{version}: {text}");
        let untried = "nobody asked whether the planner would use it; CREATE EXTENSION hypopg";
        assert_eq!(text.matches(untried).count(), 6, "{version}: {text}");
    }
    let server = server(WITH_HYPOPG).await;
    server
        .psql("CREATE EXTENSION hypopg; CREATE ROLE guest LOGIN; GRANT pg_read_all_stats TO guest")
        .unwrap();
    server.psql("GRANT SELECT (id) ON t TO guest").unwrap();
    let care = IndexCare::new(server.options().with_user("guest", None), policy());
    let facts = care.inspect(&JobContext::system()).await.unwrap();
    assert!(
        !facts.wanted.is_empty() && facts.wanted.iter().all(|wanted| wanted.trial.is_none()),
        "{facts:?}"
    );
    let remedy = "run GRANT SELECT ON public.t TO \"guest\"";
    assert_eq!(facts.gaps.iter().filter(|gap| gap.remedy == remedy).count(), 1, "{:?}", facts.gaps);
    server.psql("REVOKE pg_read_all_stats FROM guest").unwrap();
    let gaps = care.inspect(&JobContext::system()).await.unwrap().gaps;
    assert!(gaps.iter().any(|gap| gap.remedy == "run GRANT pg_read_all_stats TO \"guest\""), "{gaps:?}");
}

#[tokio::test]
async fn a_foreign_keys_index_has_a_size_though_nobody_analyzed_its_table() {
    let server = server(WITH_HYPOPG).await;
    server
        .psql(
            "CREATE TABLE refers (id int PRIMARY KEY, t_id int REFERENCES t); \
             INSERT INTO refers SELECT g, g FROM generate_series(1, 50000) g",
        )
        .unwrap();
    let text = plan(&server, policy().with_creates()).await;
    assert!(text.contains("nobody can tell how large it would be; ANALYZE the table"), "{text}");
    server.psql("CREATE EXTENSION hypopg").unwrap();
    let text = plan(&server, policy().with_creates()).await;
    assert!(text.starts_with("CREATE INDEX CONCURRENTLY \"refers_t_id_fk_idx\""), "{text}");
    let facts = look(&server).await;
    let promised = facts.foreign_keys.first().unwrap().index_bytes.unwrap();
    server.psql("CREATE INDEX built ON refers (t_id)").unwrap();
    let real: u64 = server.psql("SELECT pg_relation_size('built')").unwrap().parse().unwrap();
    println!("hypopg without statistics: {:+.1} %", percent_over(promised, real));
    assert!(promised > real / 2 && promised < real * 2, "{promised} for {real}");
}
