//! Looking at a database.

use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::plan::MAINTAIN_SINCE;
use super::{HorizonHolder, TableUpkeep, VacuumFacts};
use crate::TableName;
use crate::postgres::Session;

const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

const SERVER: &str = "SELECT current_user::text AS role, pg_is_in_recovery() AS standby, \
    current_setting('server_version_num')::int8 / 10000 AS version, \
    current_setting('autovacuum_freeze_max_age')::int8 AS freeze, \
    current_setting('autovacuum_multixact_freeze_max_age')::int8 AS multixact, \
    EXISTS (SELECT FROM pg_stat_activity WHERE state IS NULL AND backend_type IS NULL) AS blind";

/// A toast table is vacuumed with its table, and its age counts as its table's.
const TABLES: &str = "SELECT n.nspname::text AS schema, c.relname::text AS name, \
    n.nspname IN ('pg_catalog', 'information_schema') AS catalog, s.n_live_tup AS live, s.n_dead_tup AS dead, \
    s.n_mod_since_analyze AS changed, coalesce(pg_total_relation_size(c.oid), 0) AS bytes, \
    greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed, greatest(s.last_analyze, s.last_autoanalyze) AS analyzed, \
    greatest(age(c.relfrozenxid), age(t.relfrozenxid))::int8 AS xids, \
    greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid))::int8 AS multixacts, \
    EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid = c.oid) AS busy, \
    pg_has_role(c.relowner, 'USAGE') OR (NOT c.relisshared AND pg_has_role(d.datdba, 'USAGE')) OR {maintain} AS may \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_stat_all_tables s ON s.relid = c.oid JOIN pg_database d ON d.datname = current_database() \
    LEFT JOIN pg_class t ON t.oid = c.reltoastrelid \
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast' \
    ORDER BY c.relpages DESC, c.oid LIMIT 10000";

/// The server passes over who vacuums, with their helpers: they look at no old row. VACUUM FULL is not among them.
const HOLDERS: &str = "SELECT 'session' AS kind, pid::int8 AS pid, \
    concat_ws(' ', nullif(backend_type, 'client backend'), state, nullif(application_name, '')) AS name, \
    age(backend_xmin)::int8 AS age \
    FROM pg_stat_activity a WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type <> 'walsender' \
    AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.pid IN (a.pid, a.leader_pid)) \
    UNION ALL SELECT 'prepared', 0, gid, age(transaction)::int8 FROM pg_prepared_xacts WHERE database = current_database() \
    UNION ALL SELECT 'slot', 0, slot_name::text, greatest(age(xmin), age(catalog_xmin))::int8 \
    FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL \
    UNION ALL SELECT 'standby', 0, application_name, age(backend_xmin)::int8 \
    FROM pg_stat_replication WHERE backend_xmin IS NOT NULL ORDER BY 4 DESC LIMIT 100";

pub(super) async fn look(server: &PostgresOptions) -> Result<VacuumFacts> {
    let mut session = Session::open(server, "database", LOOK_TIMEOUT, LOCK_TIMEOUT, &[]).await?;
    match facts(&mut session).await {
        Ok(facts) => Ok(facts),
        Err(source) => Err(session.failed("look at tables", source)),
    }
}

async fn facts(session: &mut Session) -> Result<VacuumFacts, sqlx::Error> {
    let row = sqlx::query(SERVER).fetch_one(&mut session.connection).await?;
    let mut facts = VacuumFacts {
        role: row.try_get("role")?,
        version: u32::try_from(row.try_get::<i64, _>("version")?).unwrap_or(0),
        is_standby: row.try_get("standby")?,
        freeze_max_age: count(&row, "freeze")?,
        multixact_freeze_max_age: count(&row, "multixact")?,
        is_blind: row.try_get("blind")?,
        ..VacuumFacts::default()
    };
    let knows = facts.version >= MAINTAIN_SINCE;
    let maintain = if knows { "has_table_privilege(c.oid, 'MAINTAIN')" } else { "false" };
    let tables = TABLES.replace("{maintain}", maintain);
    for row in sqlx::query(AssertSqlSafe(tables.as_str())).fetch_all(&mut session.connection).await? {
        facts.tables.push(table(&row)?);
    }
    facts.holders = holders(session).await?;
    Ok(facts)
}

/// Who keeps dead rows from being removed, oldest first.
pub(crate) async fn holders(session: &mut Session) -> Result<Vec<HorizonHolder>, sqlx::Error> {
    let mut holders = Vec::new();
    for row in sqlx::query(HOLDERS).fetch_all(&mut session.connection).await? {
        let (name, age): (String, _) = (row.try_get("name")?, count(&row, "age")?);
        holders.push(match row.try_get("kind")? {
            "session" => HorizonHolder::Session { pid: row.try_get("pid")?, what: name, age },
            "prepared" => HorizonHolder::Prepared { name, age },
            "slot" => HorizonHolder::Slot { name, age },
            _ => HorizonHolder::Standby { name, age },
        });
    }
    Ok(holders)
}

fn table(row: &PgRow) -> Result<TableUpkeep, sqlx::Error> {
    let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
    let mut table = TableUpkeep::new(name);
    table.is_catalog = row.try_get("catalog")?;
    (table.live, table.dead, table.changed) =
        (count(row, "live")?, count(row, "dead")?, count(row, "changed")?);
    table.bytes = count(row, "bytes")?;
    (table.vacuumed_at, table.analyzed_at) = (row.try_get("vacuumed")?, row.try_get("analyzed")?);
    (table.xid_age, table.multixact_age) = (count(row, "xids")?, count(row, "multixacts")?);
    (table.may_vacuum, table.is_being_vacuumed) = (row.try_get("may")?, row.try_get("busy")?);
    Ok(table)
}

/// A table that has just vanished has no numbers.
fn count(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    let count: Option<i64> = row.try_get(column)?;
    Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
}
