//! The lint of migrations with facts of a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::{MigrationLint, MigrationRisk};

#[tokio::test]
async fn what_is_small_or_becomes_wider_is_no_danger() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server
        .psql(
            "CREATE TABLE small (a int, b varchar(20)); CREATE SCHEMA more; \
             CREATE TABLE large AS SELECT g AS a, repeat('x', 100) AS b FROM generate_series(1, 100000) g; \
             ALTER TABLE large ADD COLUMN c varchar(20), ADD COLUMN d varchar(20); CREATE TABLE more.large (d varchar(50))",
        )
        .unwrap();
    let lint = MigrationLint::new().with_facts_of(&server.options()).await.unwrap();
    let check = |sql: &str, is_dangerous: bool| {
        let findings = lint.check("m", sql);
        let is_told = findings.iter().any(|finding| finding.risk < MigrationRisk::Notice);
        assert_eq!(is_told, is_dangerous, "{sql}: {findings:?}");
    };
    check("CREATE INDEX i ON large (a)", true);
    check("CREATE INDEX i ON small (a)", false);
    check("ALTER TABLE large ALTER COLUMN c TYPE varchar(30)", false);
    // In the other schema it is longer already.
    check("ALTER TABLE large ALTER COLUMN d TYPE varchar(30)", true);
    check("ALTER TABLE large ALTER COLUMN a TYPE bigint", true);
}
