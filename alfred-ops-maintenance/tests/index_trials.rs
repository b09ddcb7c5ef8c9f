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
        let untried = "nobody could ask the planner whether it would use it; what was not seen tells why";
        assert_eq!(text.matches(untried).count(), 6, "{version}: {text}");
        let why = "not seen: what the planner would make of an index of public.t; CREATE EXTENSION hypopg";
        assert_eq!(text.matches(why).count(), 1, "{version}: {text}");
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

/// A server with one table beside `t`, which 60 statements read for few rows each.
async fn server_with(table: &str, set_up: &str, statement: &str) -> PostgresServer {
    let binaries = PostgresBinaries::of_version(WITH_HYPOPG).unwrap();
    let server = PostgresServer::builder_of(binaries)
        .setting("autovacuum", "off")
        .setting("shared_preload_libraries", "pg_stat_statements")
        .start()
        .await
        .unwrap();
    server.psql("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hypopg").unwrap();
    // What runs in our name leaves a trace here.
    server.psql("CREATE SEQUENCE ran; CREATE ROLE owner; GRANT ALL ON SCHEMA public TO owner").unwrap();
    server.psql("GRANT ALL ON SEQUENCE ran TO owner").unwrap();
    server.psql(set_up).unwrap();
    server.psql(&format!("ALTER TABLE {table} OWNER TO owner")).unwrap();
    server.psql(&format!("VACUUM ANALYZE {table}")).unwrap();
    server.psql(&vec![statement; 60].join("; ")).unwrap();
    server.psql("SELECT setval('ran', 1, false)").unwrap();
    server
}

async fn check_untouched(server: &PostgresServer, why: &str) {
    let facts = look(server).await;
    assert!(!facts.wanted.is_empty(), "{why}: nothing was wanted");
    assert!(facts.wanted.iter().all(|wanted| wanted.trial.is_none()), "{why}: {:?}", facts.wanted);
    assert_eq!(server.psql("SELECT is_called FROM ran").unwrap(), "f", "{why}: it ran in our name");
    let gaps: Vec<String> = facts.gaps.iter().map(|gap| format!("{}; {}", gap.what, gap.remedy)).collect();
    let wanted = "what the planner would make of an index of public.t;";
    assert!(gaps.iter().any(|gap| gap.starts_with(wanted) && gap.contains(why)), "{why}: {gaps:?}");
}

const PLAIN: &str = "CREATE TABLE t (id int, a int, b text); \
    INSERT INTO t SELECT g, g % 5000, md5(g::text) FROM generate_series(1, 60000) g;";

/// Says that it is immutable, and leaves a trace wherever it runs.
const EVIL: &str = "CREATE FUNCTION evil(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql \
    AS 'BEGIN PERFORM set_config(''transaction_read_only'', ''off'', true); PERFORM nextval(''public.ran''); RETURN x; \
    EXCEPTION WHEN OTHERS THEN PERFORM nextval(''public.ran''); RETURN x; END'; ALTER FUNCTION evil OWNER TO owner;";

#[tokio::test]
async fn a_table_on_which_somebodys_function_hangs_is_not_planned() {
    let hangs = [
        "CREATE INDEX ON t ((id + evil(1)))",
        "CREATE INDEX ON t (id) WHERE id > evil(5)",
        "CREATE STATISTICS s ON (id + evil(1)), b FROM t",
        "ALTER TABLE t ADD CHECK (id > evil(0))",
        "CREATE POLICY p ON t USING (id > evil(0))",
        "CREATE FUNCTION inlined(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT public.evil(x)'; \
         CREATE INDEX ON t ((id + inlined(1)))",
        "CREATE OPERATOR ### (FUNCTION = evil, RIGHTARG = int); CREATE INDEX ON t ((id + ### 1))",
        "CREATE DOMAIN d AS int CHECK (VALUE > public.evil(0)); CREATE INDEX ON t ((id + 1::d))",
    ];
    for hangs in hangs {
        let server =
            server_with("t", &format!("{PLAIN} {EVIL} {hangs}"), "SELECT b FROM t WHERE a = 77").await;
        check_untouched(&server, "with our rights").await;
    }
}

#[tokio::test]
async fn the_servers_and_extensions_functions_are_trusted() {
    let set_up = format!(
        "{PLAIN} CREATE EXTENSION citext; CREATE TYPE e AS ENUM ('x', 'y'); ALTER TABLE t ADD c citext, ADD k e DEFAULT 'x', \
         ADD CHECK (c <> 'z'); CREATE INDEX ON t (lower(b)) WHERE k = 'y'; \
         CREATE INDEX ON t (id) WHERE c IN ('m'::citext, 'n'); CREATE STATISTICS s ON (id + 1), b FROM t"
    );
    let server = server_with("t", &set_up, "SELECT b FROM t WHERE a = 77").await;
    let facts = look(&server).await;
    assert!(facts.wanted.iter().any(|wanted| wanted.trial.is_some()), "{facts:?}");
    assert!(facts.gaps.is_empty(), "{:?}", facts.gaps);
    // Who owns an extension may add to it.
    server
        .psql(&format!(
            "{EVIL} ALTER EXTENSION citext ADD FUNCTION evil(int); CREATE INDEX ON t ((id + evil(1)))"
        ))
        .unwrap();
    server.psql("SELECT setval('ran', 1, false)").unwrap();
    check_untouched(&server, "with our rights").await;
}

#[tokio::test]
async fn somebodys_operator_in_a_schema_of_a_type_is_not_chosen() {
    // An enum has none of its own: one that fits better would be taken from wherever the path looks.
    let enums = "CREATE SCHEMA s; CREATE TABLE t (id int, b text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 60000) g; \
        DO $$ BEGIN EXECUTE (SELECT format('CREATE TYPE s.e AS ENUM (%s)', string_agg(quote_literal('v' || g), ',')) \
        FROM generate_series(1, 3000) g); END $$; ALTER TABLE t ADD e s.e; \
        UPDATE t SET e = ('v' || (1 + id % 3000))::s.e; \
        CREATE FUNCTION s.evil() RETURNS bool IMMUTABLE LANGUAGE plpgsql \
        AS 'BEGIN RAISE EXCEPTION ''ran as %'', current_user; END'; \
        CREATE FUNCTION s.same(s.e, s.e) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT s.evil()'; \
        CREATE OPERATOR s.= (FUNCTION = s.same, LEFTARG = s.e, RIGHTARG = s.e)";
    let server = server_with("t", enums, "SELECT b FROM t WHERE e = 'v7'").await;
    let facts = look(&server).await;
    assert!(facts.wanted.iter().any(|wanted| wanted.trial.is_some()), "{facts:?}");

    let domains = format!(
        "{PLAIN} {EVIL} CREATE DOMAIN d AS int CHECK (VALUE IS NULL OR VALUE >= 0); ALTER TABLE t ALTER a TYPE d; \
         ALTER DOMAIN d ADD CHECK (public.evil(1) > 0) NOT VALID"
    );
    let server = server_with("t", &domains, "SELECT b FROM t WHERE a = 77").await;
    check_untouched(&server, "is a domain").await;
}

#[tokio::test]
async fn a_tables_name_is_no_part_of_a_question() {
    let set_up = "CREATE TABLE \"{columns}\" (id int, a int, \"]) OR evil(1) > 0 OR a.attname = ANY (ARRAY[\" int, b text); \
        INSERT INTO \"{columns}\" SELECT g, g % 5000, g % 5000, md5(g::text) FROM generate_series(1, 60000) g";
    let statement = "SELECT b FROM \"{columns}\" WHERE \"]) OR evil(1) > 0 OR a.attname = ANY (ARRAY[\" = 77";
    let server = server_with("\"{columns}\"", set_up, statement).await;
    let facts = look(&server).await;
    assert!(facts.gaps.is_empty(), "{:?}", facts.gaps);
    assert!(facts.wanted.iter().all(|wanted| wanted.trial.is_some()), "{:?}", facts.wanted);
    assert_eq!(facts.wanted.len(), 1, "{:?}", facts.wanted);
}

#[tokio::test]
async fn what_cannot_be_locked_is_not_tried() {
    let view = "CREATE MATERIALIZED VIEW t AS \
        SELECT g AS id, g % 5000 AS a, md5(g::text) AS b FROM generate_series(1, 60000) g";
    let server = server_with("t", view, "SELECT b FROM t WHERE a = 77").await;
    check_untouched(&server, "it is no plain table").await;
}

#[tokio::test]
async fn what_the_server_refuses_is_a_gap_and_row_security_too() {
    // Its values are too long for a B-tree: hypopg says so with 54000.
    let long = "CREATE TABLE t (id int, b text); ALTER TABLE t ALTER b SET STORAGE PLAIN; \
        INSERT INTO t SELECT g, repeat(md5(g::text), 100) FROM generate_series(1, 2000) g";
    let server = server_with("t", long, "SELECT id FROM t WHERE b = 'nobody'").await;
    check_untouched(&server, "SQLSTATE 54000").await;

    let guarded = format!(
        "{PLAIN} CREATE ROLE guest LOGIN; GRANT pg_read_all_stats TO guest; GRANT SELECT ON t TO guest; \
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 0)"
    );
    let server = server_with("t", &guarded, "SELECT b FROM t WHERE a = 77").await;
    let care = IndexCare::new(server.options().with_user("guest", None), policy());
    let facts = care.inspect(&JobContext::system()).await.unwrap();
    assert!(facts.wanted.iter().all(|wanted| wanted.trial.is_none()), "{facts:?}");
    assert!(facts.gaps.iter().any(|gap| gap.remedy.contains("BYPASSRLS")), "{:?}", facts.gaps);
}

#[tokio::test]
async fn a_value_too_long_for_an_index_is_noted_and_no_error() {
    let set_up = "CREATE TABLE t (id int, b text); INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 60000) g; \
        INSERT INTO t SELECT 0, string_agg(md5(g::text), '') FROM generate_series(1, 200) g";
    let server = server_with("t", set_up, "SELECT id FROM t WHERE b = 'nobody'").await;
    let care = IndexCare::new(server.options(), policy().with_scan_creates(5.0));
    let care = care.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap();
    let done = care.run(&JobContext::system()).await.unwrap();
    let record = done.record().unwrap();
    // It is planned still, and nothing came of it: that is told, and the run was no failure.
    assert!(matches!(record.outcome, ChoreOutcome::Ineffective { .. }), "{done:?}");
    assert!(format!("{record:?}").contains("a value is too long for an index"), "{record:?}");
    assert_eq!(server.psql("SELECT count(*) FROM pg_index WHERE NOT indisvalid").unwrap(), "0");
}
