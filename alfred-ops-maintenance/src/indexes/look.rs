//! Looking at indexes.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::{IndexFacts, IndexView, RebuiltSize};
use crate::TableName;
use crate::postgres::Session;

const SERVER: &str = "SELECT current_user::text AS role, \
    extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time()))::float8 AS counted, \
    (SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND pid <> pg_backend_pid()) AS builds \
    FROM pg_stat_database WHERE datname = current_database()";

/// Of a build by a role that this one may not see nothing is known but that it is there.
/// Before Postgres 15 NULLs were always distinct.
/// A key is described by all that makes it another: definition, operator class, collation, order, method, predicate.
const INDEXES: &str = "SELECT c.oid::int8 AS id, n.nspname::text AS schema, c.relname::text AS name, i.indrelid::regclass::text AS table, \
    ARRAY(SELECT concat_ws(' ', m.amname, pg_get_indexdef(c.oid, k, false), i.indclass[k - 1], i.indcollation[k - 1], \
    i.indoption[k - 1], pg_get_expr(i.indpred, i.indrelid)) FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k) AS keys, \
    ARRAY(SELECT pg_get_indexdef(c.oid, k, false) FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS k ORDER BY 1) AS included, \
    m.amname = 'btree' AS btree, i.indisunique AS is_unique, i.indisvalid AS valid, i.indimmediate AS immediate, \
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct, \
    CASE WHEN NOT i.indisvalid THEN pg_table_size(i.indrelid) END AS table_bytes, \
    i.indisprimary OR i.indisexclusion OR i.indisreplident OR i.indisclustered \
    OR EXISTS (SELECT FROM pg_constraint x WHERE x.conindid = c.oid) \
    OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid OR h.inhparent = c.oid) AS needed, \
    EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid OR p.relid = i.indrelid \
    OR p.relid IS NULL AND p.datname = current_database()) AS building, \
    pg_has_role(c.relowner, 'USAGE') AS owner, coalesce(s.idx_scan, 0) AS scans, coalesce(pg_relation_size(c.oid), 0) AS bytes \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = c.oid \
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relkind = 'i' AND c.relpersistence <> 't' \
    ORDER BY c.oid LIMIT 10000";

pub(crate) async fn look(session: &mut Session) -> Result<IndexFacts, sqlx::Error> {
    let row = sqlx::query(SERVER).fetch_one(&mut session.connection).await?;
    let counted: f64 = row.try_get("counted")?;
    let rows = sqlx::query(INDEXES).fetch_all(&mut session.connection).await?;
    Ok(IndexFacts {
        role: row.try_get("role")?,
        counted_for: Duration::try_from_secs_f64(counted).unwrap_or_default(),
        builds: row.try_get::<i64, _>("builds")?.unsigned_abs(),
        indexes: rows.iter().map(view).collect::<Result<_, _>>()?,
        ..IndexFacts::default()
    })
}

fn view(row: &PgRow) -> Result<IndexView, sqlx::Error> {
    let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
    let table: String = row.try_get("table")?;
    let mut view = IndexView::new(name, table, row.try_get("keys")?);
    view.included = row.try_get("included")?;
    (view.is_btree, view.is_unique) = (row.try_get("btree")?, row.try_get("is_unique")?);
    (view.is_immediate, view.is_nulls_not_distinct) =
        (row.try_get("immediate")?, row.try_get("nulls_not_distinct")?);
    (view.is_needed, view.is_valid) = (row.try_get("needed")?, row.try_get("valid")?);
    (view.is_being_built, view.is_owner) = (row.try_get("building")?, row.try_get("owner")?);
    view.scans = row.try_get::<i64, _>("scans")?.unsigned_abs();
    view.bytes = row.try_get::<i64, _>("bytes")?.unsigned_abs();
    // Without statistics the table's size stands in: hardly an index is larger.
    let table_bytes: Option<i64> = row.try_get("table_bytes")?;
    view.rebuilt = table_bytes.map(|bytes| RebuiltSize::new(bytes.unsigned_abs(), false));
    view.oid = u32::try_from(row.try_get::<i64, _>("id")?).unwrap_or(0);
    Ok(view)
}
