//! Tables and indexes, and the statistics about them.

use std::collections::BTreeMap;

use alfred_ops_core::Result;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::{Look, count, estimate};
use crate::doctor::{ColumnView, IndexSize, TableView};

/// Of so many of the largest the columns are looked at.
const DETAILED_MAX: usize = 1_000;

/// What has no statistics because the role may not see them counts as analyzed. Autovacuum analyzes neither partitioned nor
/// foreign tables; of foreign ones only those that are planned here need it.
const TABLES: &str = "SELECT c.oid::int8 AS id, c.oid::regclass::text AS name, c.relkind::text AS kind, \
    n.nspname::text AS schema, pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') AS may_build, \
    CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_relation_size(p.relid)), 0)::int8 FROM pg_partition_tree(c.oid) p) \
    WHEN c.relkind = 'f' THEN 0 ELSE pg_relation_size(c.oid) END AS bytes, \
    CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8 END AS rows, s.n_dead_tup AS dead, \
    coalesce((SELECT option_value::int4 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 100) AS fill, \
    s.seq_scan AS scans, s.seq_tup_read AS scanned, s.n_tup_ins + s.n_tup_upd + s.n_tup_del AS writes, \
    coalesce((SELECT option_value::bool FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_enabled'), true) \
    AS autovacuum, \
    (coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) \
    WHERE option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold')::float8) \
    + greatest(c.reltuples, 0) * coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) \
    WHERE option_name = 'autovacuum_vacuum_scale_factor'), current_setting('autovacuum_vacuum_scale_factor')::float8))::int8 \
    AS vacuum_from, nullif(current_setting('autovacuum_vacuum_max_threshold', true)::int8, -1) AS vacuum_from_max, \
    greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed, \
    s.last_analyze IS NOT NULL OR s.last_autoanalyze IS NOT NULL OR NOT has_table_privilege(c.oid, 'SELECT') \
    OR EXISTS (SELECT FROM pg_stats t WHERE t.schemaname = n.nspname AND t.tablename = c.relname) \
    OR c.relkind = 'f' AND EXISTS (SELECT FROM pg_foreign_table f JOIN pg_foreign_server v ON v.oid = f.ftserver \
    WHERE f.ftrelid = c.oid AND ('use_remote_estimate=true' = ANY (coalesce(f.ftoptions, v.srvoptions)) \
    OR v.srvfdw NOT IN (SELECT oid FROM pg_foreign_data_wrapper WHERE fdwname IN ('postgres_fdw', 'file_fdw')))) AS analyzed \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid \
    WHERE c.relkind IN ('r', 'm', 'p', 'f') AND c.relpersistence <> 't' \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
    ORDER BY bytes DESC, c.oid LIMIT 10000";

const COLUMNS: &str = "SELECT a.attrelid::int8 AS id, a.attname::text AS name, s.avg_width AS width, \
    coalesce(s.null_frac, 0)::float8 AS nulls, coalesce(s.n_distinct, -1)::float8 AS distinct_values, \
    a.attalign::text AS align, a.attlen = -1 AS varying, \
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid \
    AND i.indpred IS NULL) AS leads \
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname \
    AND s.inherited = (c.relkind = 'p') WHERE a.attrelid::int8 IN ({ids}) AND a.attnum > 0 ORDER BY a.attrelid, a.attnum LIMIT 100000";

/// Equal keys are kept once where equal means alike: neither for numbers that have several texts, nor for collations under
/// which different texts are equal; and where no key is unique anyway.
const INDEXES: &str = "SELECT c.oid::int8 AS id, c.oid::regclass::text AS name, pg_relation_size(c.oid) AS bytes, \
    CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8 END AS rows, \
    coalesce((SELECT option_value::int4 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 90) AS fill, \
    NOT i.indisunique AND i.indnatts = i.indnkeyatts \
    AND coalesce((SELECT option_value::bool FROM pg_options_to_table(c.reloptions) WHERE option_name = 'deduplicate_items'), true) \
    AND NOT EXISTS (SELECT FROM pg_opclass o WHERE o.oid = ANY (i.indclass) AND NOT EXISTS (SELECT FROM pg_amproc p \
    WHERE p.amprocfamily = o.opcfamily AND p.amproclefttype = o.opcintype AND p.amprocrighttype = o.opcintype AND p.amprocnum = 4)) \
    AND NOT EXISTS (SELECT FROM pg_collation l WHERE l.oid = ANY (i.indcollation) AND NOT l.collisdeterministic) AS deduplicated \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_am m ON m.oid = c.relam WHERE m.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid AND NOT i.indisexclusion AND c.relpersistence <> 't' \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND pg_relation_size(c.oid) >= {bytes} \
    ORDER BY 3 DESC, c.oid LIMIT 1000";

/// Statistics of expressions are the index's own.
const KEYS: &str = "SELECT i.indexrelid::int8 AS id, a.attname::text AS name, coalesce(s.avg_width, e.avg_width) AS width, \
    coalesce(s.null_frac, e.null_frac, 0)::float8 AS nulls, \
    coalesce(s.n_distinct, e.n_distinct, -1)::float8 AS distinct_values, \
    a.attalign::text AS align, a.attlen = -1 AS varying, false AS leads \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid \
    JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
    LEFT JOIN pg_attribute b ON b.attrelid = t.oid AND b.attnum = i.indkey[a.attnum - 1] AND b.attnum <> 0 \
    LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = b.attname AND NOT s.inherited \
    LEFT JOIN pg_stats e ON e.schemaname = n.nspname AND e.tablename = c.relname AND e.attname = a.attname AND NOT e.inherited \
    WHERE i.indexrelid::int8 IN ({ids}) ORDER BY i.indexrelid, a.attnum LIMIT 100000";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let mut tables = look.read("tables", TABLES, |row| Ok((row.try_get("id")?, table(row)?))).await?;
    let bytes_min = look.policy.bytes_min.min(look.policy.bloat_bytes_min);
    let large = tables.iter().filter(|(_, table)| table.bytes >= bytes_min).map(|(id, _)| *id);
    let large: Vec<i64> = large.take(DETAILED_MAX).collect();
    let mut columns = columns(look, COLUMNS, large).await?;
    for (id, table) in &mut tables {
        table.columns = columns.remove(id).unwrap_or_default();
    }
    look.facts.tables = tables.into_iter().map(|(_, table)| table).collect();

    let query = INDEXES.replace("{bytes}", &bytes_min.to_string());
    let mut indexes =
        look.read("sizes of indexes", &query, |row| Ok((row.try_get("id")?, index(row)?))).await?;
    let large: Vec<i64> = indexes.iter().map(|(id, _)| *id).collect();
    let mut keys = self::columns(look, KEYS, large).await?;
    for (id, index) in &mut indexes {
        index.keys = keys.remove(id).unwrap_or_default();
    }
    look.facts.index_sizes = indexes.into_iter().map(|(_, index)| index).collect();
    Ok(())
}

async fn columns(look: &mut Look<'_>, query: &str, ids: Vec<i64>) -> Result<BTreeMap<i64, Vec<ColumnView>>> {
    let mut found: BTreeMap<i64, Vec<ColumnView>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = query.replace("{ids}", &ids.join(", "));
    for (id, column) in look.read("statistics", &query, |row| Ok((row.try_get("id")?, column(row)?))).await? {
        found.entry(id).or_default().push(column);
    }
    Ok(found)
}

fn table(row: &PgRow) -> Result<TableView, sqlx::Error> {
    let kind: &str = row.try_get("kind")?;
    let from = count(row, "vacuum_from")?;
    Ok(TableView {
        name: row.try_get("name")?,
        schema: row.try_get("schema")?,
        may_build: row.try_get::<Option<bool>, _>("may_build")?.unwrap_or(false),
        bytes: count(row, "bytes")?,
        rows: estimate(row, "rows")?,
        dead: count(row, "dead")?,
        fill_factor: percent(row)?,
        columns: Vec::new(),
        seq_scans: count(row, "scans")?,
        seq_rows: count(row, "scanned")?,
        writes: count(row, "writes")?,
        autovacuum: row.try_get("autovacuum")?,
        vacuum_from: estimate(row, "vacuum_from_max")?.map_or(from, |max| from.min(max)),
        vacuumed_at: row.try_get("vacuumed")?,
        has_statistics: row.try_get::<Option<bool>, _>("analyzed")?.unwrap_or(true),
        kind: kind.chars().next().unwrap_or('r'),
        free_share: None,
    })
}

fn index(row: &PgRow) -> Result<IndexSize, sqlx::Error> {
    Ok(IndexSize {
        name: row.try_get("name")?,
        oid: u32::try_from(row.try_get::<i64, _>("id")?).unwrap_or(0),
        bytes: count(row, "bytes")?,
        rows: estimate(row, "rows")?,
        fill_factor: percent(row)?,
        keys: Vec::new(),
        is_deduplicated: row.try_get("deduplicated")?,
        waste_share: None,
    })
}

fn column(row: &PgRow) -> Result<ColumnView, sqlx::Error> {
    Ok(ColumnView {
        name: row.try_get("name")?,
        width: row.try_get::<Option<i32>, _>("width")?.map(f64::from),
        null_share: row.try_get("nulls")?,
        distinct: row.try_get("distinct_values")?,
        align: match row.try_get("align")? {
            "d" => 8,
            "i" => 4,
            "s" => 2,
            _ => 1,
        },
        is_varying: row.try_get("varying")?,
        leads_index: row.try_get("leads")?,
    })
}

fn percent(row: &PgRow) -> Result<u8, sqlx::Error> {
    Ok(u8::try_from(row.try_get::<i32, _>("fill")?).unwrap_or(100))
}
