//! Measuring what the estimate calls bloated.

use alfred_ops_core::Result;
use sqlx::{AssertSqlSafe, Row as _};

use super::Look;
use super::statements::schema;
use crate::doctor::relations::{index_waste, table_waste};
use crate::postgres::quoted;

/// So many of each kind are measured, those that seem to waste most.
const MEASURED_MAX: usize = 20;

const TABLE: &str =
    "SELECT approx_free_percent / 100 AS share FROM {schema}.pgstattuple_approx($1::regclass)";

/// Leaves are as full as their fill factor wants in an index that was just built; its inner pages stay.
const INDEX: &str = "SELECT greatest(0, 1 - (1 + internal_pages + leaf_pages * least(1, CASE WHEN leaf_pages > 0 \
    THEN avg_leaf_density ELSE 0 END / {fill})) / greatest(index_size / 8192.0, 1))::float8 AS share \
    FROM {schema}.pgstatindex($1::regclass)";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let Some(schema) = schema(look, "pgstattuple").await? else { return Ok(()) };
    let left = measure_tables(look, &schema).await?;
    measure_indexes(look, &schema, left).await
}

/// The indexes alone.
pub(super) async fn indexes(look: &mut Look<'_>) -> Result<()> {
    let Some(schema) = schema(look, "pgstattuple").await? else { return Ok(()) };
    measure_indexes(look, &schema, look.policy.measure_bytes_max).await
}

/// So many bytes may still be read after that.
async fn measure_tables(look: &mut Look<'_>, schema: &str) -> Result<u64> {
    let policy = look.policy;
    let mut tables = Vec::new();
    for (place, table) in look.facts.tables.iter().enumerate() {
        let seems = table_waste(table).is_none_or(|share| share >= policy.bloat_share / 2.0);
        if matches!(table.kind, 'r' | 'm') && table.bytes >= policy.bloat_bytes_min && seems {
            tables.push((place, table.name.clone(), table.bytes));
        }
    }
    let mut left = policy.measure_bytes_max;
    for (place, name, bytes) in tables.into_iter().take(MEASURED_MAX) {
        let Some(rest) = left.checked_sub(bytes) else { continue };
        left = rest;
        let share = share(look, TABLE, schema, &name, 100).await?;
        if let Some(table) = look.facts.tables.get_mut(place) {
            table.free_share = share;
        }
    }
    Ok(left)
}

async fn measure_indexes(look: &mut Look<'_>, schema: &str, mut left: u64) -> Result<()> {
    let policy = look.policy;
    let mut indexes = Vec::new();
    for (place, index) in look.facts.index_sizes.iter().enumerate() {
        let seems = index_waste(index).is_none_or(|share| share >= policy.bloat_share / 2.0);
        if index.bytes >= policy.bloat_bytes_min && seems {
            indexes.push((place, index.name.clone(), index.bytes, index.fill_factor));
        }
    }
    for (place, name, bytes, fill) in indexes.into_iter().take(MEASURED_MAX) {
        let Some(rest) = left.checked_sub(bytes) else { continue };
        left = rest;
        let share = share(look, INDEX, schema, &name, fill).await?;
        if let Some(index) = look.facts.index_sizes.get_mut(place) {
            index.waste_share = share;
        }
    }
    Ok(())
}

async fn share(look: &mut Look<'_>, query: &str, schema: &str, name: &str, fill: u8) -> Result<Option<f64>> {
    // The name of the schema at last: nothing is put into it.
    let query = query.replace("{fill}", &fill.to_string()).replace("{schema}", &quoted(schema));
    let what = format!("bloat of {name}");
    let query = sqlx::query(AssertSqlSafe(query)).bind(name.to_owned());
    let shares = look.attempt(&what, query, |row| row.try_get("share")).await?;
    Ok(shares.and_then(|mut shares| shares.pop()))
}
