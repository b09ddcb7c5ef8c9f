//! Looking at a table.

use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result};
use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::look_partitions::{PARTS_MAX, partitions, parts};
use super::{RetentionFacts, RetentionPolicy, TableFacts};
use crate::TableName;
use crate::postgres::{SEES_ALL, Session, code_of, quoted};

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
    pg_has_role(c.relowner, 'USAGE') AS owner, row_security_active(c.oid) AS filtered, c.relkind = 'p' AS is_parent, \
    EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid) AS has_children, \
    EXISTS (SELECT FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] \
     WHERE p.partrelid = c.oid AND p.partstrat = 'r' AND p.partnatts = 1 AND a.attname = $3) AS partitioned \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

/// One look at a table.
pub(super) struct Look<'a> {
    policy: &'a RetentionPolicy,
    context: &'a JobContext,
    session: Session,
    now: DateTime<Utc>,
}

impl<'a> Look<'a> {
    pub(super) async fn begin(
        server: &PostgresOptions,
        policy: &'a RetentionPolicy,
        context: &'a JobContext,
    ) -> Result<Self> {
        let about = policy.table.to_string();
        // Bounds of partitions are read as text.
        let settings = [("timezone", "UTC"), ("datestyle", "ISO"), SEES_ALL];
        let session = Session::open(server, &about, LOOK_TIMEOUT, LOOK_LOCK_TIMEOUT, &settings).await?;
        Ok(Self { policy, context, session, now: context.now() })
    }

    pub(super) async fn facts(mut self) -> Result<RetentionFacts> {
        let who = sqlx::query("SELECT current_user::text, pg_is_in_recovery(), clock_timestamp()");
        let row = who.fetch_one(&mut self.session.connection).await;
        let host = self.context.now();
        let row = row.map_err(|source| self.session.failed("look at server", source))?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let (role, is_standby, server): (_, _, DateTime<Utc>) =
            read().map_err(|source| self.session.failed("look at server", source))?;
        let clock_ahead = host.signed_duration_since(server);
        let table = match self.table().await {
            Ok(table) => table,
            // It vanished while we looked.
            Err(source) if code_of(&source).as_deref() == Some("42P01") => None,
            Err(source) => return Err(self.session.failed("look at table", source)),
        };
        Ok(RetentionFacts { role, is_standby, clock_ahead, table })
    }

    async fn table(&mut self) -> Result<Option<TableFacts>, sqlx::Error> {
        let Some((row, mut facts)) = self.catalog(&self.policy.table.clone()).await? else { return Ok(None) };
        let oid = row.try_get("oid")?;
        if row.try_get("partitioned")? {
            partitions(&mut self.session, self.policy, self.now, oid, &mut facts).await?;
        } else if row.try_get("is_parent")? || row.try_get("has_children")? {
            self.parts(oid, &mut facts).await?;
        } else {
            self.ends(&self.policy.table.clone(), &row, &mut facts).await?;
        }
        Ok(Some(facts))
    }

    /// Each table that rows are in is one of its own: a place in the heap means a row of one of them only.
    async fn parts(&mut self, oid: i64, whole: &mut TableFacts) -> Result<(), sqlx::Error> {
        let names = parts(&mut self.session, oid).await?;
        whole.has_too_many_parts = names.len() > PARTS_MAX;
        let mut found = Vec::new();
        for (name, is_foreign) in names.into_iter().take(PARTS_MAX) {
            if is_foreign {
                found.push((name, TableFacts { is_foreign, ..TableFacts::default() }));
            } else if let Some((row, mut facts)) = self.catalog(&name).await? {
                self.ends(&name, &row, &mut facts).await?;
                found.push((name, facts));
            }
        }
        whole.oldest = found.iter().filter_map(|(_, facts)| facts.oldest).min();
        whole.parts = Some(found);
        Ok(())
    }

    async fn catalog(&mut self, table: &TableName) -> Result<Option<(PgRow, TableFacts)>, sqlx::Error> {
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
            is_filtered: row.try_get("filtered")?,
            ..TableFacts::default()
        };
        for (right, column) in [("SELECT", "sel"), ("UPDATE", "upd"), ("DELETE", "del")] {
            if !row.try_get::<bool, _>(column)? {
                facts.missing_rights.push(right);
            }
        }
        Ok(Some((row, facts)))
    }

    /// The oldest row, and where the expired ones lie.
    async fn ends(
        &mut self,
        table: &TableName,
        catalog: &PgRow,
        facts: &mut TableFacts,
    ) -> Result<(), sqlx::Error> {
        let may_look = catalog.try_get("usage")? && !facts.missing_rights.contains(&"SELECT");
        if facts.index.is_none() || facts.is_filtered || !may_look {
            return Ok(());
        }
        let column = quoted(&self.policy.column);
        let cutoff = self.policy.cutoff(self.now);
        let block = "(ctid::text::point)[0]::int8 AS block";
        let oldest = format!(
            "SELECT greatest({column}, {EARLIEST}) AS age, {block} FROM ONLY {table} WHERE {column} IS NOT NULL \
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
            format!("SELECT {block} FROM ONLY {table} WHERE {column} < $1 ORDER BY {column} DESC LIMIT 1");
        let row = sqlx::query(AssertSqlSafe(newest.as_str()))
            .bind(cutoff)
            .fetch_optional(&mut self.session.connection)
            .await?;
        if let Some(row) = row {
            facts.newest_expired_block = row.try_get::<i64, _>("block")?.unsigned_abs();
        }
        Ok(())
    }
}
