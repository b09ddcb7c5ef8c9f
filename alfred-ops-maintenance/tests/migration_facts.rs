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
             ALTER TABLE large ADD COLUMN c varchar(20), ADD COLUMN d varchar(20), \
             ADD COLUMN e varchar(20) COLLATE \"C\"; CREATE TABLE more.large (d varchar(50)); \
             CREATE TABLE parted (a int, b text) PARTITION BY RANGE (a); \
             CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (200000) PARTITION BY RANGE (a); \
             CREATE TABLE leaf PARTITION OF part DEFAULT; INSERT INTO parted SELECT a, b FROM large; \
             CREATE TABLE base (a int); CREATE TABLE heir (b text) INHERITS (base); INSERT INTO heir SELECT a, b FROM large; \
             CREATE TABLE empty (a int) PARTITION BY RANGE (a); \
             CREATE TABLE twin (a int) PARTITION BY RANGE (a); CREATE TABLE more.twin AS SELECT a FROM large; \
             CREATE DOMAIN code AS text; CREATE DOMAIN more.code AS text CHECK (value <> ''); CREATE DOMAIN free AS text; \
             CREATE DOMAIN below AS text; CREATE DOMAIN above AS below; ALTER TABLE large ADD COLUMN f above; \
             CREATE DOMAIN rare AS text; ALTER TABLE small ADD COLUMN c rare",
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
    check("ALTER TABLE large ALTER COLUMN c TYPE varchar(30), ALTER COLUMN a TYPE bigint", true);
    check("ALTER TABLE large ALTER COLUMN c TYPE varchar(30) COLLATE \"C\"", true);
    // Its collation would become another one.
    check("ALTER TABLE large ALTER COLUMN e TYPE varchar(30)", true);
    // What changes these changes what hangs on them.
    check("CREATE INDEX i ON parted (a)", true);
    check("ALTER TABLE base ALTER COLUMN a TYPE bigint", true);
    check("CREATE INDEX i ON empty (a)", false);
    // In the other schema it is longer already.
    check("ALTER TABLE large ALTER COLUMN d TYPE varchar(30)", true);
    check("ALTER TABLE large ALTER COLUMN a TYPE bigint", true);
    // One of this name is partitioned, the other is not.
    check("-- no-transaction\nCREATE INDEX CONCURRENTLY i ON parted (a)", true);
    check("-- no-transaction\nCREATE INDEX CONCURRENTLY i ON twin (a)", false);
    check("ALTER TABLE large ADD COLUMN g free", false);
    check("ALTER TABLE large ADD COLUMN g code", true);
    check("ALTER TABLE small ADD COLUMN g code", false);
    // It is used through another one.
    check("ALTER DOMAIN below SET NOT NULL", true);
    check("ALTER DOMAIN rare SET NOT NULL", false);
}
