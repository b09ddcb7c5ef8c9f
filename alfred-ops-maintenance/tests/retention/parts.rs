//! Tables whose rows are in partitions that do not go as a whole, and in children: a place in the heap means one row in
//! each of them.

use alfred_ops_core::JobContext;
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::{ChoreOutcome, ChorePlan as _};

use super::postgres::{VERSIONS, server};
use super::{EXPIRED, caretaker, count, run};

const COLUMNS: &str = "(message_id int, kind int, processed_at timestamptz NOT NULL)";

/// One message a minute, 6,000 minutes back. In one half of the kinds the oldest come first, in the other half last: where
/// one has an old row its sibling has a young one.
const MESSAGES: &str = "SELECT g, g % 4, now() - g * interval '1 minute' + interval '30 s' FROM generate_series(0, 5999) g \
    ORDER BY CASE WHEN g % 4 < 2 THEN g ELSE -g END";

/// Shapes of the table, and the tables that rows are in.
const SHAPES: [(&str, &str, usize); 6] = [
    (
        "hash",
        "CREATE TABLE processed_msgs {c} PARTITION BY HASH (kind); \
         CREATE TABLE p0 PARTITION OF processed_msgs FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE TABLE p1 PARTITION OF processed_msgs FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        2,
    ),
    (
        "list",
        "CREATE TABLE processed_msgs {c} PARTITION BY LIST (kind); \
         CREATE TABLE p0 PARTITION OF processed_msgs FOR VALUES IN (0); \
         CREATE TABLE p1 PARTITION OF processed_msgs FOR VALUES IN (1, 2); \
         CREATE TABLE p2 PARTITION OF processed_msgs DEFAULT",
        3,
    ),
    (
        "range of another column",
        "CREATE TABLE processed_msgs {c} PARTITION BY RANGE (kind); \
         CREATE TABLE p0 PARTITION OF processed_msgs FOR VALUES FROM (0) TO (2); \
         CREATE TABLE p1 PARTITION OF processed_msgs FOR VALUES FROM (2) TO (4)",
        2,
    ),
    (
        "range of several columns",
        "CREATE TABLE processed_msgs {c} PARTITION BY RANGE (processed_at, kind); \
         CREATE TABLE p0 PARTITION OF processed_msgs FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2020-01-01', 0); \
         CREATE TABLE p1 PARTITION OF processed_msgs FOR VALUES FROM ('2020-01-01', 0) TO (MAXVALUE, MAXVALUE)",
        1,
    ),
    (
        "partitions of partitions",
        "CREATE TABLE processed_msgs {c} PARTITION BY RANGE (kind); \
         CREATE TABLE p0 PARTITION OF processed_msgs FOR VALUES FROM (0) TO (2) PARTITION BY HASH (message_id); \
         CREATE TABLE p00 PARTITION OF p0 FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE TABLE p01 PARTITION OF p0 FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
         CREATE TABLE p1 PARTITION OF processed_msgs FOR VALUES FROM (2) TO (4)",
        3,
    ),
    (
        "children",
        "CREATE TABLE processed_msgs {c}; CREATE TABLE p0 () INHERITS (processed_msgs); \
         CREATE TABLE p1 () INHERITS (p0); CREATE INDEX ON p0 (processed_at); CREATE INDEX ON p1 (processed_at); \
         CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.kind = 1 THEN INSERT INTO p0 VALUES (NEW.*); ELSIF NEW.kind = 2 THEN INSERT INTO p1 VALUES (NEW.*); \
         ELSE RETURN NEW; END IF; RETURN NULL; END $$; \
         CREATE TRIGGER spread BEFORE INSERT ON processed_msgs FOR EACH ROW EXECUTE FUNCTION spread()",
        3,
    ),
];

/// How often a table with rows was read as a whole. A session tells of it before it is gone.
fn scans(server: &PostgresServer) -> String {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while server.psql(others).unwrap() != "0" {}
    let scans = "SELECT sum(s.seq_scan) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE c.relpages > 0";
    server.psql(scans).unwrap()
}

#[tokio::test]
async fn exactly_the_expired_rows_go_whatever_tables_they_are_in() {
    for version in VERSIONS {
        for (shape, create, parts) in SHAPES {
            let server = server(version).await;
            server.psql(&create.replace("{c}", COLUMNS)).unwrap();
            server.psql("CREATE INDEX ON processed_msgs (processed_at)").unwrap();
            server.psql(&format!("INSERT INTO processed_msgs {MESSAGES}")).unwrap();
            server.psql("ANALYZE").unwrap();
            let caretaker = caretaker(&server);
            let before = scans(&server);
            let plan = caretaker.plan(&JobContext::system()).await.unwrap();
            assert_eq!(plan.to_string().matches("delete from").count(), parts, "{version}, {shape}: {plan}");
            let record = run(&caretaker).await;
            assert_eq!(scans(&server), before, "{version}, {shape}: no table is read as a whole");
            assert_eq!(count(&server), "2881 0", "{version}, {shape}: {record:?}");
            let done = (&record.outcome, record.figures.work);
            assert_eq!(done, (&ChoreOutcome::Finished, EXPIRED), "{version}, {shape}: {record:?}");
        }
    }
}

#[tokio::test]
async fn rows_that_somebody_holds_keep_their_young_siblings_alive() {
    for (shape, create, _) in SHAPES {
        let server = server(17).await;
        server.psql(&create.replace("{c}", COLUMNS)).unwrap();
        server.psql("CREATE INDEX ON processed_msgs (processed_at)").unwrap();
        server.psql(&format!("INSERT INTO processed_msgs {MESSAGES}")).unwrap();
        server.psql("ANALYZE").unwrap();
        let hold = "BEGIN; SELECT FROM processed_msgs WHERE message_id % 500 = 0 FOR UPDATE; PREPARE TRANSACTION 'held'";
        server.psql(hold).unwrap();
        let record = run(&caretaker(&server)).await;
        let held = EXPIRED - record.figures.work;
        assert!(held > 0, "{shape}: {record:?}");
        assert_eq!(count(&server), format!("{} {held}", 2_881 + held), "{shape}: {record:?}");
        server.psql("ROLLBACK PREPARED 'held'").unwrap();
        run(&caretaker(&server)).await;
        assert_eq!(count(&server), "2881 0", "{shape}");
    }
}

#[tokio::test]
async fn a_part_without_an_index_or_a_right_stays_and_the_others_go() {
    let server = server(18).await;
    server.psql(&SHAPES[2].1.replace("{c}", COLUMNS)).unwrap();
    server.psql("CREATE INDEX ON p0 (processed_at)").unwrap();
    server.psql(&format!("INSERT INTO processed_msgs {MESSAGES}")).unwrap();
    let caretaker = caretaker(&server);
    let plan = caretaker.plan(&JobContext::system()).await.unwrap();
    let told = plan.obstacles().join("; ");
    assert!(told.contains("CREATE INDEX CONCURRENTLY ON \"public\".\"p1\" (\"processed_at\")"), "{plan}");
    assert_eq!(run(&caretaker).await.figures.work, EXPIRED / 2, "{plan}");
    server.psql("CREATE INDEX ON p1 (processed_at)").unwrap();
    assert_eq!(run(&caretaker).await.outcome, ChoreOutcome::Finished);
    assert_eq!(count(&server), "2881 0");
}
