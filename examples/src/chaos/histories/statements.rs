//! What happens in a life.

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{EntropyExt as _, Lsn, Result, SeededEntropy};

/// Statements between two backups.
const STATEMENTS: u64 = 25;
/// Stands for the end of a transaction that was prepared earlier.
const FINISH_PREPARED: &str = "COMMIT PREPARED";

/// A position that a life passed, and what had just happened.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) position: Lsn,
    pub(super) after: String,
}

/// Runs statements drawn at random and notes where each ended.
pub(super) async fn statements(primary: &PostgresServer, entropy: &SeededEntropy) -> Result<Vec<Moment>> {
    let mut passed = Vec::new();
    for _ in 0..STATEMENTS {
        let mut statement = statement(entropy);
        if statement == FINISH_PREPARED {
            let prepared = primary.psql("SELECT gid FROM pg_prepared_xacts ORDER BY gid LIMIT 1")?;
            statement = format!("COMMIT PREPARED '{prepared}'");
        }
        // What fails, because its table is not there, leaves a trace in the log all the same.
        let _ = primary.psql(&statement);
        let position = primary.psql("SELECT pg_current_wal_insert_lsn()")?.parse()?;
        passed.push(Moment { position, after: statement });
        tokio::task::yield_now().await;
    }
    Ok(passed)
}

fn statement(entropy: &SeededEntropy) -> String {
    let t = format!("t{}", entropy.below(5));
    let n = entropy.below(1_000_000);
    match entropy.below(24) {
        0..=2 => format!("CREATE TABLE IF NOT EXISTS {t} (id bigserial PRIMARY KEY, a int, b text)"),
        3..=6 => format!(
            "INSERT INTO {t} (a, b) SELECT g, md5((g * {n})::text) FROM generate_series(1, {}) g",
            n % 3000
        ),
        7..=8 => format!("UPDATE {t} SET b = md5(b || '{n}') WHERE id % 17 = {}", n % 17),
        9 => format!("DELETE FROM {t} WHERE id % 5 = {}", n % 5),
        10 => format!(
            "INSERT INTO {t} (a, b) SELECT {n}, string_agg(md5((g * {n})::text), '') FROM generate_series(1, 2000) g"
        ),
        11 => format!("TRUNCATE {t} RESTART IDENTITY"),
        12 => format!("DROP TABLE IF EXISTS {t}"),
        13 => format!("CREATE INDEX IF NOT EXISTS {t}_b ON {t} (b)"),
        14 => format!("VACUUM FULL {t}"),
        15 => format!("VACUUM (FREEZE, ANALYZE) {t}"),
        16 => format!(
            "ALTER TABLE {t} SET TABLESPACE {}",
            if n.is_multiple_of(2) { "side" } else { "pg_default" }
        ),
        17 => format!("ALTER TABLE {t} ADD COLUMN c{n} int DEFAULT {n}"),
        18 => format!("SELECT setval('{t}_id_seq', nextval('{t}_id_seq') + {})", n % 100),
        19 => format!("CREATE UNLOGGED TABLE u{n} AS SELECT g FROM generate_series(1, 1000) g"),
        20 => format!("BEGIN; INSERT INTO busy (a, b) VALUES ({n}, 'prepared'); PREPARE TRANSACTION 'p{n}'"),
        21 => FINISH_PREPARED.to_owned(),
        22 => format!("CREATE DATABASE d{n}"),
        _ => {
            if n.is_multiple_of(2) {
                "CHECKPOINT".to_owned()
            } else {
                "SELECT pg_switch_wal()".to_owned()
            }
        }
    }
}
