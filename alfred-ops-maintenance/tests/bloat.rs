//! Estimates of bloat beside what `pgstattuple` counts, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod postgres;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::{DatabaseDoctor, DatabaseFacts, DoctorPolicy};
use postgres::{VERSIONS, server};

/// An estimate may say that a share is wasted which is so much larger: what is counted takes the pointers that dead rows left
/// behind for use, up to a ninth of a table of short rows,
const OVER_MAX: f64 = 0.10;
/// or so much smaller.
const UNDER_MAX: f64 = 0.12;

/// Tables of all kinds of rows, by name, columns and values for row `g`.
const TABLES: [(&str, &str, &str); 7] = [
    ("narrow", "id int, flag bool", "g, g % 2 = 0"),
    ("wide", "id bigint, body text, at timestamptz", "g, repeat(md5(g::text), 12), now()"),
    ("varied", "id bigint, body text", "g, repeat('x', g % 300)"),
    (
        "nulls",
        "id int, a text, b bigint, c text",
        "g, CASE g % 3 WHEN 0 THEN md5(g::text) END, CASE g % 2 WHEN 0 THEN g END, NULL",
    ),
    (
        "toasted",
        "id int, body text",
        "g, CASE g % 10 WHEN 0 THEN (SELECT string_agg(md5((g + n)::text), '') FROM generate_series(1, 200) n) ELSE 'short' END",
    ),
    (
        "numbers",
        "id int, price numeric(12, 4), day date, of uuid",
        "g, g * 1.5, date '2026-01-01' + g % 365, md5(g::text)::uuid",
    ),
    (
        "documents",
        "id bigint, body jsonb",
        "g, jsonb_build_object('id', g, 'status', 'completed', 'note', repeat('n', g % 80))",
    ),
];

/// Deletes so many of ten rows, spread evenly, and lets VACUUM keep the pages.
fn thin_out(server: &PostgresServer, table: &str, tenths: u32) {
    // The last page keeps a row, so that nothing is cut off.
    server.psql(&format!("DELETE FROM {table} WHERE id % 10 < {tenths} AND id < 40000")).unwrap();
    server.psql(&format!("VACUUM (ANALYZE) {table}")).unwrap();
}

async fn look(server: &PostgresServer, measures: bool) -> DatabaseFacts {
    let mut policy = DoctorPolicy::default();
    (policy.bytes_min, policy.bloat_bytes_min, policy.bloat_share) = (0, 0, 0.0);
    policy.measure_bytes_max = if measures { u64::MAX } else { 0 };
    DatabaseDoctor::new(server.options(), policy).look().await.unwrap()
}

/// By how much estimates are wrong: the largest of those that say too much, and of those that say too little.
#[derive(Debug, Default)]
struct Worst {
    over: f64,
    under: f64,
    wrong: Vec<String>,
    compared: usize,
}

impl Worst {
    fn note(&mut self, what: &str, estimated: Option<f64>, measured: Option<f64>) {
        let (Some(estimated), Some(measured)) = (estimated, measured) else {
            panic!("{what}: {estimated:?} and {measured:?}")
        };
        if estimated - measured > OVER_MAX || measured - estimated > UNDER_MAX {
            self.wrong.push(format!("{what}: {estimated:.3} estimated, {measured:.3} measured"));
        }
        self.compared += 1;
        self.over = self.over.max(estimated - measured);
        self.under = self.under.max(measured - estimated);
    }
}

fn pick<T, V>(all: &[T], name: &str, of: impl Fn(&T) -> (&str, V)) -> V {
    let found = all.iter().map(of).find(|(theirs, _)| *theirs == name);
    found.unwrap_or_else(|| panic!("{name} is not there")).1
}

#[tokio::test]
async fn estimates_are_close_to_what_is_counted() {
    for version in VERSIONS {
        let server = server(version).await;
        server.psql("CREATE EXTENSION pgstattuple").unwrap();
        for (table, columns, values) in TABLES {
            for fill in [100, 70] {
                let name = format!("{table}_{fill}");
                server.psql(&format!("CREATE TABLE {name} ({columns}) WITH (fillfactor = {fill})")).unwrap();
                server
                    .psql(&format!("INSERT INTO {name} SELECT {values} FROM generate_series(1, 40000) g"))
                    .unwrap();
                server.psql(&format!("CREATE INDEX {name}_id ON {name} (id)")).unwrap();
            }
        }
        for (index, on) in [
            ("varied_length", "varied_100 (length(body))"),
            ("nulls_a", "nulls_100 (a)"),
            ("nulls_b", "nulls_100 (b, a)"),
            ("numbers_day", "numbers_100 (day)"),
            ("numbers_price", "numbers_100 (price, of)"),
            ("documents_status", "documents_100 ((body ->> 'status'), id)"),
        ] {
            server.psql(&format!("CREATE INDEX {index} ON {on}")).unwrap();
        }
        let (mut tables, mut indexes) = (Worst::default(), Worst::default());
        for tenths in [0, 2, 5, 8] {
            for (table, ..) in TABLES {
                for fill in [100, 70] {
                    thin_out(&server, &format!("{table}_{fill}"), tenths);
                }
            }
            let (estimated, measured) = (look(&server, false).await, look(&server, true).await);
            for table in &measured.tables {
                let estimate = pick(&estimated.tables, &table.name, |table| (&table.name, table.waste()));
                if table.free_share.is_some() {
                    tables.note(
                        &format!("{} of Postgres {version}, {tenths} of 10 gone", table.name),
                        estimate,
                        table.waste(),
                    );
                }
            }
            for index in &measured.index_sizes {
                let estimate =
                    pick(&estimated.index_sizes, &index.name, |index| (&index.name, index.waste()));
                if index.waste_share.is_some() {
                    indexes.note(
                        &format!("{} of Postgres {version}, {tenths} of 10 gone", index.name),
                        estimate,
                        index.waste(),
                    );
                }
            }
        }
        println!("Postgres {version}: tables {tables:?}, indexes {indexes:?}");
        assert!(tables.compared >= 40 && indexes.compared >= 40);
        assert!(tables.wrong.is_empty() && indexes.wrong.is_empty());
    }
}
