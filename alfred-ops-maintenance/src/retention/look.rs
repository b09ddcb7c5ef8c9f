//! Looking at a table.

use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use alfred_ops_scaling::{
    Partition, PartitionFacts, PartitionPlan, PartitionPolicy, PartitionStep, plan_partitions,
};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::partitions::mark_of;
use super::{ExpiredPartition, PartitionState, RetentionFacts, RetentionPolicy, TableFacts};
use crate::TableName;
use crate::postgres::{Session, code_of, quoted};

/// A look reads one end of an index. It takes long where many rows are dead and nobody may clean up; it holds no lock
/// that anybody waits for.
pub(super) const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const LOOK_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Stands for `-infinity`, which the driver cannot hold.
pub(super) const EARLIEST: &str = "timestamptz '1900-01-01 00:00:00+00'";

const CATALOG: &str = "SELECT c.oid::int8 AS oid, \
    (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a \
     WHERE a.attrelid = c.oid AND a.attname = $3 AND NOT a.attisdropped) AS type, \
    (SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
     JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree' \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attname = $3 \
     WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisready AND i.indpred IS NULL ORDER BY i.indnatts LIMIT 1) AS index, \
    (SELECT s.correlation FROM pg_stats s WHERE s.schemaname = $1 AND s.tablename = $2 AND s.attname = $3 \
     AND NOT s.inherited) AS correlation, \
    coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int8 AS blocks, \
    has_schema_privilege(n.oid, 'USAGE') AS usage, has_table_privilege(c.oid, 'SELECT') AS sel, \
    has_table_privilege(c.oid, 'UPDATE') AS upd, has_table_privilege(c.oid, 'DELETE') AS del, \
    pg_has_role(c.relowner, 'USAGE') AS owner, \
    EXISTS (SELECT FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] \
     WHERE p.partrelid = c.oid AND p.partstrat = 'r' AND p.partnatts = 1 AND a.attname = $3) AS partitioned \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

const PARTITIONS: &str = "SELECT pn.nspname::text AS schema, p.relname::text AS name, greatest(p.reltuples, 0)::int8 AS rows, \
    (regexp_match(pg_get_expr(p.relpartbound, p.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz AS upper, \
    h.inhdetachpending AS detaching, pg_get_expr(p.relpartbound, p.oid) = 'DEFAULT' AS is_default \
    FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
    WHERE h.inhparent = $1::int8::oid ORDER BY 4, 1, 2";

/// What an earlier run detached and did not drop: it bears our mark, and is no partition of anything.
const DETACHED: &str = "SELECT n.nspname::text AS schema, c.relname::text AS name, greatest(c.reltuples, 0)::int8 AS rows \
    FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE d.description = $1 AND c.relkind = 'r' AND NOT c.relispartition ORDER BY 1, 2";

/// One look at a table.
pub(super) struct Look<'a> {
    policy: &'a RetentionPolicy,
    session: Session,
    now: DateTime<Utc>,
}

impl<'a> Look<'a> {
    pub(super) async fn begin(
        server: &PostgresOptions,
        policy: &'a RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let about = policy.table.to_string();
        // Bounds of partitions are read as text.
        let settings = [("timezone", "UTC"), ("datestyle", "ISO")];
        let session = Session::open(server, &about, LOOK_TIMEOUT, LOOK_LOCK_TIMEOUT, &settings).await?;
        Ok(Self { policy, session, now })
    }

    pub(super) async fn facts(mut self) -> Result<RetentionFacts> {
        let who = sqlx::query("SELECT current_user::text, pg_is_in_recovery()");
        let row = who.fetch_one(&mut self.session.connection).await;
        let row = row.map_err(|source| self.session.failed("look at server", source))?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?));
        let (role, is_standby) = read().map_err(|source| self.session.failed("look at server", source))?;
        let table = match self.table().await {
            Ok(table) => table,
            // It vanished while we looked.
            Err(source) if code_of(&source).as_deref() == Some("42P01") => None,
            Err(source) => return Err(self.session.failed("look at table", source)),
        };
        Ok(RetentionFacts { role, is_standby, table })
    }

    async fn table(&mut self) -> Result<Option<TableFacts>, sqlx::Error> {
        let table = &self.policy.table;
        let row = sqlx::query(CATALOG)
            .bind(table.schema())
            .bind(table.table())
            .bind(&self.policy.column)
            .fetch_optional(&mut self.session.connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut facts = TableFacts {
            column_type: row.try_get("type")?,
            index: row.try_get("index")?,
            correlation: row.try_get("correlation")?,
            blocks: row.try_get::<i64, _>("blocks")?.unsigned_abs(),
            is_owner: row.try_get("owner")?,
            ..TableFacts::default()
        };
        for (right, column) in [("SELECT", "sel"), ("UPDATE", "upd"), ("DELETE", "del")] {
            if !row.try_get::<bool, _>(column)? {
                facts.missing_rights.push(right);
            }
        }
        if row.try_get("partitioned")? {
            self.partitions(row.try_get("oid")?, &mut facts).await?;
        } else if facts.index.is_some() && row.try_get("usage")? && !facts.missing_rights.contains(&"SELECT")
        {
            self.ends(&mut facts).await?;
        }
        Ok(Some(facts))
    }

    /// The oldest row, and where the expired ones lie.
    async fn ends(&mut self, facts: &mut TableFacts) -> Result<(), sqlx::Error> {
        let (table, column) = (&self.policy.table, quoted(&self.policy.column));
        let cutoff = self.policy.cutoff(self.now);
        let block = "(ctid::text::point)[0]::int8 AS block";
        let oldest = format!(
            "SELECT greatest({column}, {EARLIEST}) AS age, {block} FROM {table} WHERE {column} IS NOT NULL \
             ORDER BY {column} LIMIT 1"
        );
        let row =
            sqlx::query(AssertSqlSafe(oldest.as_str())).fetch_optional(&mut self.session.connection).await?;
        let Some(row) = row else { return Ok(()) };
        let age: DateTime<Utc> = row.try_get("age")?;
        (facts.oldest, facts.oldest_block) = (Some(age), row.try_get::<i64, _>("block")?.unsigned_abs());
        if age >= cutoff {
            return Ok(());
        }
        let newest =
            format!("SELECT {block} FROM {table} WHERE {column} < $1 ORDER BY {column} DESC LIMIT 1");
        let row = sqlx::query(AssertSqlSafe(newest.as_str()))
            .bind(cutoff)
            .fetch_optional(&mut self.session.connection)
            .await?;
        if let Some(row) = row {
            facts.newest_expired_block = row.try_get::<i64, _>("block")?.unsigned_abs();
        }
        Ok(())
    }

    /// Which partitions go is what scaling's planner says.
    async fn partitions(&mut self, oid: i64, facts: &mut TableFacts) -> Result<(), sqlx::Error> {
        let mut known = PartitionFacts::default();
        let mut tables = Vec::new();
        let rows = sqlx::query(PARTITIONS).bind(oid).fetch_all(&mut self.session.connection).await?;
        for row in rows {
            let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
            if row.try_get("is_default")? {
                facts.default_partition = Some(name.to_string());
                continue;
            }
            let (to, detaching) = (row.try_get("upper")?, row.try_get("detaching")?);
            let rows: i64 = row.try_get("rows")?;
            known.partitions.push(Partition { name: name.to_string(), from: None, to, detaching });
            let state = if detaching { PartitionState::Detaching } else { PartitionState::Attached };
            tables.push(ExpiredPartition::new(name, to, state, rows.unsigned_abs()));
        }
        let policy = PartitionPolicy::daily(self.policy.table.table(), self.policy.keep);
        let PartitionPlan { steps, .. } = plan_partitions(&known, &policy, self.now);
        tables.retain(|table| {
            let name = table.name.to_string();
            steps.iter().any(|step| match step {
                // A partition that somebody else detaches is not ours to drop unless it is old.
                PartitionStep::Detach { name: gone } => *gone == name,
                PartitionStep::Finish { name: gone } => {
                    *gone == name && table.to.is_some_and(|to| to <= self.policy.cutoff(self.now))
                }
                PartitionStep::Create { .. } => false,
            })
        });
        let mark = mark_of(&self.policy.table);
        let rows = sqlx::query(DETACHED).bind(mark).fetch_all(&mut self.session.connection).await?;
        for row in rows {
            let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
            let rows: i64 = row.try_get("rows")?;
            tables.push(ExpiredPartition::new(name, None, PartitionState::Detached, rows.unsigned_abs()));
        }
        facts.partitions = Some(tables);
        Ok(())
    }
}
