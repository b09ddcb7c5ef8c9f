//! Facts of the tables of a database.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use sqlx::Row as _;

use super::{MigratedDomain, MigratedTable, MigrationLint};
use crate::postgres::Session;

const OPERATION: &str = "look at tables";
const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest tables, each with those below it, and with the names and the types of its columns. A partitioned table has no
/// bytes of its own, and what changes it changes all that hang on it. A column whose collation is not its type's loses that with a
/// new type, which builds its indexes anew, so its type is told with it.
const TABLES: &str = "WITH RECURSIVE tree (root, id) AS (SELECT c.oid, c.oid FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm') \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    UNION SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.id), \
    sizes AS (SELECT root, coalesce(sum(pg_total_relation_size(id)), 0)::int8 AS bytes FROM tree GROUP BY root) \
    SELECT c.relname::text AS name, s.bytes, c.relkind = 'p' AS is_partitioned, \
    ARRAY(SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid) AS indexes, \
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY a.attnum) AS columns, \
    ARRAY(SELECT format_type(a.atttypid, a.atttypmod) \
    || CASE WHEN a.attcollation <> t.typcollation THEN ' collate ' || a.attcollation::regcollation ELSE '' END \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 \
    AND NOT a.attisdropped ORDER BY a.attnum) AS types \
    FROM sizes s JOIN pg_class c ON c.oid = s.root ORDER BY 2 DESC LIMIT 10000";

/// Domains with the size of the tables that use them. What a default calls stands in its tree alone.
const DOMAINS: &str = "WITH RECURSIVE own AS (SELECT t.* FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
    WHERE t.typtype = 'd' AND n.nspname NOT IN ('pg_catalog', 'information_schema')), \
    below (root, id) AS (SELECT oid, oid FROM own \
    UNION SELECT b.root, d.typbasetype FROM below b JOIN pg_type d ON d.oid = b.id WHERE d.typtype = 'd'), \
    users AS (SELECT DISTINCT b.id AS domain, a.attrelid FROM below b JOIN pg_attribute a ON a.atttypid = b.root \
    JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'm') AND NOT a.attisdropped), \
    sizes AS (SELECT domain, sum(pg_total_relation_size(attrelid)) AS bytes FROM users GROUP BY domain) \
    SELECT o.typname::text AS name, coalesce(s.bytes, 0)::int8 AS bytes, \
    EXISTS (SELECT FROM below b JOIN pg_type d ON d.oid = b.id WHERE b.root = o.oid AND d.typtype = 'd' \
    AND (d.typnotnull OR EXISTS (SELECT FROM pg_constraint x WHERE x.contypid = d.oid))) AS is_constrained, \
    EXISTS (SELECT FROM regexp_matches(o.typdefaultbin::text, ':(?:op)?funcid (\\d+)', 'g') f \
    JOIN pg_proc p ON p.oid = f[1]::oid WHERE p.provolatile = 'v') AS has_volatile_default \
    FROM own o LEFT JOIN sizes s ON s.domain = o.oid";

impl MigrationLint {
    /// The same with the version of `server` and facts of its database: of the tables, the 10,000 largest at most, and of the
    /// domains. Reads catalogues and sizes, which waits for nobody but who changes a table at this moment (30 s at most).
    ///
    /// The size of a table is that of all that hang on it, too: partitions, and tables that inherit from it.
    /// Of tables of one name in several schemas the largest counts, without columns that are of another type elsewhere, and as
    /// partitioned if all are. Of domains of one name the worst of each counts.
    ///
    /// # Errors
    /// The server's.
    pub async fn with_facts_of(mut self, server: &PostgresOptions) -> Result<Self> {
        let mut session = Session::open(server, "migration lint", TIMEOUT, TIMEOUT, &[]).await?;
        let (major, tables, domains) =
            look(&mut session).await.map_err(|source| session.failed(OPERATION, source))?;
        for (name, table) in tables {
            self = self.with_table(name, table);
        }
        for (name, domain) in domains {
            self = self.with_domain(name, domain);
        }
        Ok(self.for_server(major))
    }
}

type Facts = (u16, BTreeMap<String, MigratedTable>, BTreeMap<String, MigratedDomain>);

async fn look(session: &mut Session) -> Result<Facts, sqlx::Error> {
    let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&mut session.connection)
        .await?;
    let mut tables: BTreeMap<String, MigratedTable> = BTreeMap::new();
    for row in sqlx::query(TABLES).fetch_all(&mut session.connection).await? {
        let bytes: i64 = row.try_get("bytes")?;
        let (names, types): (Vec<String>, Vec<String>) = (row.try_get("columns")?, row.try_get("types")?);
        let mut table = MigratedTable::new(bytes.unsigned_abs());
        table.columns = names.into_iter().zip(types).collect();
        table.is_partitioned = row.try_get("is_partitioned")?;
        table.indexes = row.try_get::<Vec<String>, _>("indexes")?.into_iter().collect();
        // The largest comes first.
        tables
            .entry(row.try_get("name")?)
            .and_modify(|known| {
                known.columns.retain(|name, kind| table.columns.get(name).is_none_or(|other| other == kind));
                known.is_partitioned &= table.is_partitioned;
                known.indexes.extend(table.indexes.iter().cloned());
            })
            .or_insert(table);
    }
    let mut domains: BTreeMap<String, MigratedDomain> = BTreeMap::new();
    for row in sqlx::query(DOMAINS).fetch_all(&mut session.connection).await? {
        let bytes: i64 = row.try_get("bytes")?;
        let domain = domains.entry(row.try_get("name")?).or_default();
        domain.bytes = domain.bytes.max(bytes.unsigned_abs());
        domain.is_constrained |= row.try_get::<bool, _>("is_constrained")?;
        domain.has_volatile_default |= row.try_get::<bool, _>("has_volatile_default")?;
    }
    Ok((u16::try_from(number / 10_000).unwrap_or(u16::MAX), tables, domains))
}
