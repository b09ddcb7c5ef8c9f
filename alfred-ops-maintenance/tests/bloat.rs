//! Estimates of bloat against what `pgstattuple` reads and what a rewrite really takes, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod postgres;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::{DatabaseDoctor, DatabaseFacts, DoctorPolicy};
use postgres::{VERSIONS, server};

/// Percentage points that an estimate may be off what a rewrite saves,
const SAVED_POINTS_MAX: f64 = 6.0;
/// and, of a table, off the free space that `pgstattuple` reads: it counts the pointers of removed rows as used.
const FREE_POINTS_MAX: f64 = 9.0;

/// Tables by what makes their size: columns and values of row `g`, indexes, options.
const SHAPES: [(&str, &str, &str, &str); 7] = [
    ("narrow", "id int, v int", "g, g", "(v)"),
    ("wide", "id int, v text", "g, repeat(md5(g::text), 12)", "(left(v, 60))"),
    (
        "nulls",
        "id int, a int, b text, c bigint",
        "g, nullif(g % 2, 0), CASE WHEN g % 4 = 0 THEN md5(g::text) END, g",
        "(b)",
    ),
    (
        "toast",
        "id int, v text",
        "g, (SELECT string_agg(md5((g * 100 + i)::text), '') FROM generate_series(1, 80) i)",
        "(id)",
    ),
    ("few", "id int, v text, w bigint", "g, 'state ' || g % 7, g", "(v)"),
    (
        "mixed",
        "id int, flag bool, v text, at timestamptz, n numeric",
        "g, g % 3 = 0, repeat('x', g % 100), now(), g * 1.5",
        "(flag, n)",
    ),
    ("loose", "id int, v text", "g, md5(g::text)", "(v)"),
];
const EMPTIED: [u32; 4] = [0, 20, 50, 80];

fn fill(server: &PostgresServer) {
    for (shape, columns, values, keys) in SHAPES {
        let rows = if shape == "toast" { 1_500 } else { 20_000 };
        let (option, fill) =
            if shape == "loose" { ("WITH (fillfactor = 70)", "WITH (fillfactor = 60)") } else { ("", "") };
        for percent in EMPTIED {
            let name = format!("{shape}_{percent}");
            server
                .psql(&format!(
                    "CREATE TABLE {name} ({columns}) {option}; \
                     INSERT INTO {name} SELECT {values} FROM generate_series(1, {rows}) g; \
                     CREATE INDEX {name}_i ON {name} {keys} {fill}; \
                     CREATE UNIQUE INDEX {name}_u ON {name} (id); \
                     DELETE FROM {name} WHERE (id * 7919) % 100 < {percent}"
                ))
                .unwrap();
            server.psql(&format!("VACUUM (ANALYZE) {name}")).unwrap();
        }
    }
}

fn number(server: &PostgresServer, sql: &str) -> f64 {
    server.psql(sql).unwrap().parse().unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a test")]
fn waste(bytes: u64, needed: u64) -> f64 {
    (1.0 - needed as f64 / bytes as f64).max(0.0) * 100.0
}

async fn look(server: &PostgresServer) -> DatabaseFacts {
    let mut policy = DoctorPolicy::default();
    // Everything is looked at and nothing measured.
    (policy.bytes_min, policy.bloat_bytes_min, policy.measure_bytes_max) = (0, 0, 0);
    DatabaseDoctor::new(server.options(), policy).look().await.unwrap()
}

#[tokio::test]
async fn estimates_are_near_what_is_measured_and_what_a_rewrite_takes() {
    for version in VERSIONS {
        let server = server(version).await;
        server.psql("CREATE EXTENSION pgstattuple").unwrap();
        fill(&server);
        let facts = look(&server).await;
        let free: Vec<f64> = facts
            .tables
            .iter()
            .map(|table| {
                let sql = format!("SELECT free_percent FROM pgstattuple('{}')", table.name);
                // What is not free fills the pages of a new table as far as it wants them filled.
                let used = (100.0 - number(&server, &sql)) / f64::from(table.fill_factor);
                ((1.0 - used) * 100.0).max(0.0)
            })
            .collect();
        let names: Vec<&str> = facts.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names.len(), SHAPES.len() * EMPTIED.len());
        for name in names {
            server.psql(&format!("VACUUM (FULL) {name}")).unwrap();
        }
        let mut off: Vec<(f64, String)> = Vec::new();
        let mut far = Vec::new();
        let mut judge = |name: &str, against: &str, estimate: f64, truth: f64, points_max: f64| {
            let points = (estimate - truth).abs();
            let text = format!("{name}: {estimate:.1} % for {truth:.1} % {against}");
            off.push((points, text.clone()));
            if points > points_max {
                far.push(text);
            }
        };
        let after = look(&server).await;
        for (table, free) in facts.tables.iter().zip(free) {
            let estimate = waste(table.bytes, table.estimated_bytes().unwrap());
            judge(&table.name, "free", estimate, free, FREE_POINTS_MAX);
            let now = after.tables.iter().find(|now| now.name == table.name).unwrap();
            judge(&table.name, "saved", estimate, waste(table.bytes, now.bytes), SAVED_POINTS_MAX);
        }
        for index in &facts.index_sizes {
            let estimate = waste(index.bytes, index.estimated_bytes().unwrap());
            let now = after.index_sizes.iter().find(|now| now.name == index.name).unwrap();
            judge(&index.name, "saved", estimate, waste(index.bytes, now.bytes), SAVED_POINTS_MAX);
        }
        off.sort_by(|one, other| other.0.total_cmp(&one.0));
        assert!(
            far.is_empty(),
            "{version}: {far:#?}; the worst: {:#?}",
            off.iter().take(12).collect::<Vec<_>>()
        );
    }
}
