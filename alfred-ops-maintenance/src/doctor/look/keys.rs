//! Foreign keys and sequences.

use alfred_ops_core::Result;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::{Look, count};
use crate::doctor::size_estimate::btree_bytes;
use crate::doctor::{ColumnView, ForeignKeyView, SequenceView};

/// An index finds the rows that refer if it begins with the columns in any order and leaves out at most rows that refer to
/// nothing.
const INDEXES_OF_KEY: &str = "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    JOIN pg_am m ON m.oid = c.relam WHERE i.indrelid = x.conrelid AND m.amname IN ('btree', 'hash') \
    AND (SELECT array_agg(k ORDER BY k) FROM unnest((i.indkey::int2[])[0:cardinality(x.conkey) - 1]) AS k) \
    = (SELECT array_agg(k ORDER BY k) FROM unnest(x.conkey) AS k) \
    AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) IN (SELECT format('(%I IS NOT NULL)', a.attname) \
    FROM pg_attribute a WHERE a.attrelid = x.conrelid AND a.attnum = ANY (x.conkey)))";

/// A key that is not enforced (Postgres 18) looks for no rows.
const FOREIGN_KEYS: &str = "SELECT x.conname::text AS name, x.conrelid::regclass::text AS table, n.nspname::text AS schema, \
    ARRAY(SELECT a.attname::text FROM unnest(x.conkey) WITH ORDINALITY AS k (num, place) \
    JOIN pg_attribute a ON a.attrelid = x.conrelid AND a.attnum = k.num ORDER BY k.place) AS columns, \
    CASE WHEN r.relkind = 'p' THEN (SELECT coalesce(sum(pg_relation_size(p.relid)), 0)::int8 FROM pg_partition_tree(r.oid) p) \
    ELSE pg_relation_size(r.oid) END AS bytes, x.confrelid::regclass::text AS referenced, \
    s.n_tup_del AS deletes, s.n_tup_upd AS updates, \
    ARRAY(SELECT i.indexrelid::regclass::text {indexes} AND i.indisvalid) AS indexes, \
    EXISTS (SELECT {indexes} AND NOT i.indisvalid) AS begun, r.relkind = 'p' AS partitioned, \
    pg_has_role(r.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') AS may_build \
    FROM pg_constraint x JOIN pg_class r ON r.oid = x.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace \
    LEFT JOIN pg_stat_all_tables s ON s.relid = x.confrelid WHERE x.contype = 'f' AND x.conparentid = 0 \
    AND coalesce((to_jsonb(x)->>'conenforced')::bool, true) ORDER BY 5 DESC, x.oid LIMIT 10000";

/// The column is one that the sequence belongs to or whose default takes from it: the narrowest.
const SEQUENCES: &str = "SELECT q.seqrelid::regclass::text AS name, q.seqmin AS min, q.seqmax AS max, q.seqincrement AS step, \
    q.seqcycle AS cycles, CASE WHEN has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') \
    AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery()) THEN pg_sequence_last_value(q.seqrelid) END AS last, \
    format('%s.%s', a.attrelid::regclass, quote_ident(a.attname)) AS filled, a.atttypid::regtype::text AS type, \
    coalesce(a.is_key, false) AS is_key, a.attrelid IS NULL AS is_free \
    FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid LEFT JOIN LATERAL (\
    SELECT a.attrelid, a.attname, a.atttypid, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique \
    AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL) AS is_key FROM (\
    SELECT d.refobjid AS rel, d.refobjsubid AS num FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
    AND d.objid = q.seqrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') \
    UNION SELECT f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid \
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = q.seqrelid) AS u \
    JOIN pg_attribute a ON a.attrelid = u.rel AND a.attnum = u.num AND NOT a.attisdropped \
    ORDER BY CASE WHEN a.attlen > 0 THEN a.attlen ELSE 99 END, is_key DESC LIMIT 1) a ON true \
    WHERE c.relpersistence <> 't' ORDER BY q.seqrelid LIMIT 10000";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    foreign_keys(look).await?;
    look.facts.sequences = look.read("sequences", SEQUENCES, sequence).await?;
    Ok(())
}

pub(super) async fn foreign_keys(look: &mut Look<'_>) -> Result<()> {
    let query = FOREIGN_KEYS.replace("{indexes}", INDEXES_OF_KEY);
    let mut keys = look.read("foreign keys", &query, foreign_key).await?;
    for key in keys.iter_mut().filter(|key| key.indexes.is_empty()) {
        let table = look.facts.tables.iter().find(|table| table.name == key.table);
        let columns = key.columns.iter().map(|name| {
            table.and_then(|table| table.columns.iter().find(|column| column.name == *name)).cloned()
        });
        let columns: Option<Vec<ColumnView>> = columns.collect();
        let rows = table.and_then(|table| table.rows);
        key.index_bytes = rows.zip(columns).and_then(|(rows, columns)| btree_bytes(rows, &columns, 90, true));
    }
    look.facts.foreign_keys = keys;
    Ok(())
}

fn foreign_key(row: &PgRow) -> Result<ForeignKeyView, sqlx::Error> {
    Ok(ForeignKeyView {
        name: row.try_get("name")?,
        table: row.try_get("table")?,
        schema: row.try_get("schema")?,
        columns: row.try_get("columns")?,
        bytes: count(row, "bytes")?,
        referenced: row.try_get("referenced")?,
        deletes: count(row, "deletes")?,
        updates: count(row, "updates")?,
        indexes: row.try_get("indexes")?,
        is_begun: row.try_get("begun")?,
        is_partitioned: row.try_get("partitioned")?,
        may_build: row.try_get("may_build")?,
        index_bytes: None,
    })
}

fn sequence(row: &PgRow) -> Result<SequenceView, sqlx::Error> {
    let is_free: bool = row.try_get("is_free")?;
    let column_bounds = match row.try_get::<Option<&str>, _>("type")? {
        Some("smallint") => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        Some("integer") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        _ => None,
    };
    Ok(SequenceView {
        name: row.try_get("name")?,
        last: row.try_get("last")?,
        min: row.try_get("min")?,
        max: row.try_get("max")?,
        step: row.try_get("step")?,
        cycles: row.try_get("cycles")?,
        column: if is_free { None } else { row.try_get("filled")? },
        column_bounds,
        is_key: row.try_get("is_key")?,
    })
}
