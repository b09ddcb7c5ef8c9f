//! Indexes that cost and do not serve, on real Postgres servers.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod postgres;

use std::sync::Arc;

use alfred_ops_core::{JobContext, MemoryStateStore};
use alfred_ops_maintenance::{ChoreOutcome, IndexCare, IndexPolicy};
use postgres::{VERSIONS, server};

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
        let care = |policy| {
            let care = IndexCare::new(server.options(), policy);
            care.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
        };
        let names = "SELECT string_agg(c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END, ', ' ORDER BY c.relname) \
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 't'::regclass";
        let run = care(IndexPolicy::default().with_drops()).run(&JobContext::system()).await.unwrap();
        let record = run.record().unwrap();
        let ChoreOutcome::Ineffective { reason } = &record.outcome else { panic!("{version}: {record:?}") };
        assert!(reason.contains("REINDEX INDEX CONCURRENTLY \"public\".\"d_unique\""), "{version}: {reason}");
        assert!(reason.contains("\"d_unique_ccnew\": a failed REINDEX left it"), "{version}: {reason}");
        server.psql("UPDATE t SET d = a").unwrap();
        let run = care(IndexPolicy::default().with_drops()).run(&JobContext::system()).await.unwrap();
        assert_eq!(run.record().unwrap().outcome, ChoreOutcome::Finished, "{version}: {run:?}");
        let left = server.psql(names).unwrap();
        let wanted = "b_c, b_down, c, c_hash, c_lower, c_part, c_pattern, d_unique, halves, t_pkey";
        assert_eq!(left, wanted, "{version}: {run:?}");
    }
}
