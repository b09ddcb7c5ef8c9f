//! What the lint of migrations says of partitioned tables, generated columns and domains is what Postgres does.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::Error;
use alfred_ops_maintenance::{MigrationLint, MigrationRisk};

mod postgres;

use postgres::{VERSIONS, server};

/// What a statement does on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// It is refused.
    Refused,
    /// It reads or writes rows, or builds an index.
    Works,
    /// It does neither.
    Free,
}

use Deed::{Free, Refused, Works};

const SCHEMA: &str = "CREATE TABLE agents (id bigint PRIMARY KEY); INSERT INTO agents SELECT generate_series(1, 100); \
    CREATE TABLE tasks (id bigint, a int, b text); \
    INSERT INTO tasks SELECT g, g % 100 + 1, repeat('x', 100) FROM generate_series(1, 90000) g; \
    CREATE TABLE events (id bigint NOT NULL, a bigint, b text) PARTITION BY RANGE (id); \
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (40000); \
    CREATE TABLE events_2 PARTITION OF events DEFAULT; INSERT INTO events SELECT id, a, b FROM tasks; \
    CREATE INDEX events_a ON events (a); CREATE UNIQUE INDEX events_id ON events (id); \
    CREATE DOMAIN label AS text; CREATE DOMAIN email AS text CHECK (value <> ''); CREATE DOMAIN over AS email; \
    CREATE DOMAIN later AS text; ALTER DOMAIN later ADD CONSTRAINT short CHECK (length(value) < 200) NOT VALID; \
    CREATE DOMAIN required AS text NOT NULL; CREATE DOMAIN luck AS float8 DEFAULT random(); \
    CREATE DOMAIN fixed AS int DEFAULT 7; CREATE DOMAIN unused AS text; \
    ALTER TABLE tasks ADD COLUMN l label DEFAULT 'l', ADD COLUMN o later; \
    ANALYZE";

/// What is done in a transaction, from a version to another, on the tables of `SCHEMA`.
const STATEMENTS: &[(u16, u16, &str, Deed)] = &[
    (13, 18, "CREATE INDEX i ON events (b)", Works),
    (13, 18, "CREATE INDEX i ON ONLY events (b)", Free),
    (13, 18, "CREATE INDEX i ON ONLY tasks (b)", Works),
    (13, 18, "ALTER TABLE events ADD FOREIGN KEY (a) REFERENCES agents (id)", Works),
    (13, 17, "ALTER TABLE events ADD FOREIGN KEY (a) REFERENCES agents (id) NOT VALID", Refused),
    (18, 18, "ALTER TABLE events ADD FOREIGN KEY (a) REFERENCES agents (id) NOT VALID", Free),
    (13, 18, "ALTER TABLE ONLY events ADD FOREIGN KEY (a) REFERENCES agents (id)", Refused),
    (13, 18, "ALTER TABLE ONLY events ADD FOREIGN KEY (a) REFERENCES agents (id) NOT VALID", Refused),
    (13, 18, "ALTER TABLE events_1 ADD FOREIGN KEY (a) REFERENCES agents (id) NOT VALID", Free),
    (13, 18, "ALTER TABLE events ADD CONSTRAINT c CHECK (a > 0) NOT VALID", Free),
    (13, 18, "ALTER TABLE events ADD UNIQUE (id)", Works),
    (13, 18, "ALTER TABLE ONLY events ADD UNIQUE (id)", Free),
    (13, 18, "ALTER TABLE events ADD PRIMARY KEY (id)", Works),
    (13, 18, "ALTER TABLE ONLY events ADD PRIMARY KEY (id)", Free),
    (13, 18, "ALTER TABLE events ADD UNIQUE USING INDEX events_id", Refused),
    (14, 18, "REINDEX TABLE events", Refused),
    (13, 18, "REINDEX INDEX events_a", Refused),
    (13, 18, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2) STORED", Works),
    (13, 17, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2) VIRTUAL", Refused),
    (13, 17, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2)", Refused),
    (13, 17, "CREATE TABLE other (a int, g int GENERATED ALWAYS AS (a * 2))", Refused),
    (18, 18, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2) VIRTUAL", Free),
    (18, 18, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2)", Free),
    (18, 18, "CREATE TABLE other (a int, g int GENERATED ALWAYS AS (a * 2))", Free),
    (18, 18, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2) NOT NULL", Works),
    (18, 18, "ALTER TABLE tasks ADD g int GENERATED ALWAYS AS (a * 2) VIRTUAL CHECK (g > 0)", Works),
    (13, 18, "ALTER TABLE tasks ADD d label", Free),
    (13, 18, "ALTER TABLE tasks ADD d label NOT NULL DEFAULT 'd'", Free),
    (13, 18, "ALTER TABLE tasks ADD d email", Works),
    (13, 18, "ALTER TABLE tasks ADD d public.email DEFAULT 'd'", Works),
    (13, 18, "ALTER TABLE tasks ADD d over", Works),
    (13, 18, "ALTER TABLE tasks ADD d later", Works),
    (13, 18, "ALTER TABLE tasks ADD d required DEFAULT 'd'", Works),
    (13, 18, "ALTER TABLE tasks ADD d email[]", Free),
    (13, 18, "ALTER TABLE tasks ADD d luck", Works),
    (13, 18, "ALTER TABLE tasks ADD d luck DEFAULT 1", Free),
    (13, 18, "ALTER TABLE tasks ADD d luck DEFAULT NULL", Free),
    (13, 18, "ALTER TABLE tasks ADD d fixed", Free),
    (13, 18, "CREATE DOMAIN new AS text CHECK (value <> ''); ALTER TABLE tasks ADD d new", Works),
    (13, 18, "CREATE DOMAIN new AS email; ALTER TABLE tasks ADD d new", Works),
    (13, 18, "CREATE DOMAIN new AS text; ALTER TABLE tasks ADD d new", Free),
    (13, 18, "ALTER DOMAIN label ADD CHECK (value <> '') NOT VALID; ALTER TABLE tasks ADD d label", Works),
    (13, 18, "ALTER DOMAIN label ADD CONSTRAINT c CHECK (value <> '')", Works),
    (13, 18, "ALTER DOMAIN label ADD CONSTRAINT c CHECK (value <> '') NOT VALID", Free),
    (13, 18, "ALTER DOMAIN later VALIDATE CONSTRAINT short", Works),
    (13, 18, "ALTER DOMAIN label SET NOT NULL", Works),
    (17, 18, "ALTER DOMAIN label ADD CONSTRAINT n NOT NULL", Works),
    (13, 18, "ALTER DOMAIN label ADD CONSTRAINT n CHECK (value IS NOT NULL) NOT VALID", Free),
    (13, 18, "ALTER DOMAIN unused ADD CONSTRAINT c CHECK (value <> '')", Free),
    (13, 18, "CREATE DOMAIN new AS text; ALTER DOMAIN new SET NOT NULL", Free),
    (
        15,
        18,
        "CREATE DOMAIN new AS text; ALTER TABLE tasks ADD d new; ALTER DOMAIN new ADD CHECK (value <> '')",
        Works,
    ),
];

/// The same of what does not run in a transaction.
const ALONE: &[(u16, u16, &str, Deed)] = &[
    (13, 18, "CREATE INDEX CONCURRENTLY i ON events (b)", Refused),
    (13, 18, "CREATE INDEX CONCURRENTLY i ON ONLY events (b)", Refused),
    (13, 18, "DROP INDEX CONCURRENTLY events_a", Refused),
    (13, 13, "REINDEX INDEX CONCURRENTLY events_a", Refused),
    (14, 18, "REINDEX INDEX CONCURRENTLY events_a", Free),
    (14, 18, "REINDEX TABLE CONCURRENTLY events", Free),
    (13, 18, "CREATE INDEX CONCURRENTLY i ON events_1 (b)", Free),
];

/// Reads of tables, tables that were written anew, and rows of new indexes, within a transaction.
const WORK: &str = "SELECT coalesce(sum(pg_stat_get_xact_numscans(c.oid)), 0) \
    + count(*) FILTER (WHERE c.relkind = 'r' AND b.relfilenode <> c.relfilenode) \
    + count(*) FILTER (WHERE c.relkind = 'i' AND b.oid IS NULL AND c.reltuples > 0) > 0 \
    FROM pg_class c LEFT JOIN before b USING (oid) \
    WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace";

/// What is refused is refused for what it is, and not for a mistake of this test.
fn refused(error: &Error) -> Deed {
    let text = error.to_string();
    let reasons = ["partitioned", "inside a transaction block", "syntax error at", "concurrently"];
    assert!(reasons.into_iter().any(|reason| text.contains(reason)), "{text}");
    Refused
}

/// The first version that differs, too.
fn versions() -> impl Iterator<Item = u32> {
    [13].into_iter().chain(VERSIONS)
}

#[tokio::test]
async fn what_is_told_is_what_servers_do() {
    for version in versions() {
        let server = server(version).await;
        server.psql(SCHEMA).unwrap();
        let lint = MigrationLint::new().with_facts_of(&server.options()).await.unwrap();
        let version = u16::try_from(version).unwrap();
        let mut wrong = Vec::new();
        let mut judge = |sql: &str, expected: Deed, done: Deed, text: &str| {
            let findings = lint.check("m", text);
            let worst = findings.iter().map(|finding| finding.risk).min();
            let told = match worst {
                Some(MigrationRisk::Fails) => Refused,
                Some(MigrationRisk::Blocks) => Works,
                _ => Free,
            };
            if (done, told) != (expected, expected) {
                wrong.push(format!("{sql}: it is {done:?}, told as {told:?}: {findings:?}"));
            }
        };
        for (_, _, sql, expected) in
            STATEMENTS.iter().filter(|(from, to, ..)| (*from..=*to).contains(&version))
        {
            let text = format!(
                "BEGIN; CREATE TEMP TABLE before AS SELECT oid, relfilenode FROM pg_class; {sql}; {WORK}; ROLLBACK"
            );
            let done = match server.psql(&text) {
                Ok(does_work) if does_work == "t" => Works,
                Ok(does_work) => {
                    assert_eq!(does_work, "f", "{sql}");
                    Free
                }
                Err(error) => refused(&error),
            };
            judge(sql, *expected, done, sql);
        }
        for (_, _, sql, expected) in ALONE.iter().filter(|(from, to, ..)| (*from..=*to).contains(&version)) {
            let done = server.psql(sql).map_or_else(|error| refused(&error), |_| Free);
            judge(sql, *expected, done, &format!("-- no-transaction\n{sql}"));
        }
        assert!(wrong.is_empty(), "on {version}:\n{}", wrong.join("\n"));
    }
}

#[tokio::test]
async fn the_ways_around_lead_to_the_same() {
    for version in versions() {
        let server = server(version).await;
        server.psql(SCHEMA).unwrap();
        let lint = MigrationLint::new().with_facts_of(&server.options()).await.unwrap();
        let walk = |steps: &[&str]| {
            for step in steps {
                let found = lint.check("m", step);
                assert!(
                    found.iter().all(|finding| finding.risk >= MigrationRisk::Notice),
                    "{step}: {found:?}"
                );
                server.psql(step.trim_start_matches("-- no-transaction\n")).unwrap();
            }
        };
        let is_valid = |index: &str| {
            let valid = format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass");
            assert_eq!(server.psql(&valid).unwrap(), "t", "{index} on {version}");
        };
        walk(&[
            "CREATE INDEX way ON ONLY events (b)",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY way_1 ON events_1 (b)",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY way_2 ON events_2 (b)",
            "ALTER INDEX way ATTACH PARTITION way_1",
            "ALTER INDEX way ATTACH PARTITION way_2",
            "DROP INDEX events_a",
        ]);
        is_valid("way");
        for (kind, name) in [("UNIQUE", "one"), ("PRIMARY KEY", "key")] {
            walk(&[&format!("ALTER TABLE ONLY events ADD CONSTRAINT {name} {kind} (id)")]);
            for part in ["events_1", "events_2"] {
                walk(&[
                    &format!(
                        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY {part}_{name} ON {part} (id)"
                    ),
                    &format!(
                        "ALTER TABLE {part} ADD CONSTRAINT {part}_{name} {kind} USING INDEX {part}_{name}"
                    ),
                    &format!("ALTER INDEX {name} ATTACH PARTITION {part}_{name}"),
                ]);
            }
            is_valid(name);
        }
        walk(&[
            "ALTER TABLE events_1 ADD CONSTRAINT of FOREIGN KEY (a) REFERENCES agents (id) NOT VALID",
            "ALTER TABLE events_2 ADD CONSTRAINT of FOREIGN KEY (a) REFERENCES agents (id) NOT VALID",
            "ALTER TABLE events_1 VALIDATE CONSTRAINT of",
            "ALTER TABLE events_2 VALIDATE CONSTRAINT of",
        ]);
        let adopt = "ALTER TABLE events ADD CONSTRAINT of FOREIGN KEY (a) REFERENCES agents (id)";
        let excused = format!("-- squawk-ignore adding-foreign-key-constraint\n{adopt};");
        assert_eq!(lint.check("m", &excused), []);
        let adopted = server
            .psql(&format!(
                "BEGIN; CREATE TEMP TABLE before AS SELECT oid, relfilenode FROM pg_class; {adopt}; \
                 {WORK}; COMMIT; \
                 SELECT bool_and(convalidated) FROM pg_constraint WHERE conname = 'of'"
            ))
            .unwrap();
        assert_eq!(adopted, "f\nt", "the partitions are taken over unread on {version}");
        // New values are held to what is NOT VALID, and only from VALIDATE others cannot write.
        walk(&["ALTER DOMAIN label ADD CONSTRAINT there CHECK (value IS NOT NULL) NOT VALID"]);
        server.psql("INSERT INTO tasks (l) VALUES (NULL)").unwrap_err();
        server.psql("INSERT INTO tasks (l) VALUES ('l')").unwrap();
        let lock = "BEGIN; ALTER DOMAIN label VALIDATE CONSTRAINT there; SELECT string_agg(mode, ' ') FROM pg_locks \
                    WHERE relation = 'tasks'::regclass AND pid = pg_backend_pid(); ROLLBACK";
        assert_eq!(server.psql(lock).unwrap(), "ShareLock", "on {version}");
    }
}
