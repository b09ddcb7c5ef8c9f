//! Indexes that foreign keys lack. Pure.

use super::{IndexFacts, IndexFault, IndexFinding, IndexHold, IndexPolicy};
use crate::postgres::quoted;
use crate::{ForeignKeyView, TableName};

/// Postgres cuts longer names.
const NAME_BYTES_MAX: usize = 63;
const ENDING: &str = "_fk_idx";

/// The indexes that are missing, in the order of the keys, and whether the role may build each.
pub(super) fn missing(facts: &IndexFacts, policy: &IndexPolicy) -> Vec<(IndexFinding, bool)> {
    let mut found: Vec<(IndexFinding, bool)> = Vec::new();
    for key in &facts.foreign_keys {
        // One whose build failed is built again as an invalid index.
        if !key.indexes.is_empty() || key.is_begun || key.bytes < policy.table_bytes_min {
            continue;
        }
        // Two keys over the same columns need one index.
        let is_known = found.iter().any(|(other, _)| {
            matches!(&other.fault, IndexFault::Missing { table, columns, .. } if *table == key.table && *columns == key.columns)
        });
        if is_known {
            continue;
        }
        let taken = |name: &TableName| {
            facts.indexes.iter().any(|index| index.name == *name)
                || found.iter().any(|(other, _)| other.index == *name)
        };
        let Some(index) = free_name(key, taken) else { continue };
        let fault = IndexFault::Missing {
            key: key.name.clone(),
            table: key.table.clone(),
            columns: key.columns.clone(),
        };
        let hold = hold(key, policy);
        let bytes = key.index_bytes.unwrap_or(0);
        found.push((IndexFinding { index, fault, bytes, hold }, key.may_build));
    }
    found
}

fn hold(key: &ForeignKeyView, policy: &IndexPolicy) -> Option<IndexHold> {
    if key.is_partitioned {
        return Some(IndexHold::Partitioned);
    }
    if !policy.creates {
        return Some(IndexHold::NotAskedFor);
    }
    match key.index_bytes {
        None => Some(IndexHold::UnknownSize),
        Some(bytes) if bytes > policy.build_bytes_max => {
            Some(IndexHold::TooLarge { bytes_max: policy.build_bytes_max })
        }
        Some(_) => None,
    }
}

/// A name that tells what the index is for and that no index has.
fn free_name(key: &ForeignKeyView, taken: impl Fn(&TableName) -> bool) -> Option<TableName> {
    (0..100).find_map(|number: u32| {
        let ending = if number == 0 { ENDING.to_owned() } else { format!("{ENDING}{number}") };
        let stem = key.name.strip_suffix("_fkey").unwrap_or(&key.name);
        let room = stem.floor_char_boundary(NAME_BYTES_MAX - ending.len());
        let name = format!("{}{ending}", stem.get(..room).unwrap_or_default());
        let name = TableName::of_catalog(key.schema.clone(), name);
        (!taken(&name)).then_some(name)
    })
}

/// What the role lacks to build it.
pub(super) fn obstacle(finding: &IndexFinding, role: &str) -> String {
    let table = match &finding.fault {
        IndexFault::Missing { table, .. } => table.as_str(),
        _ => "its table",
    };
    let (schema, role) = (quoted(finding.index.schema()), quoted(role));
    format!(
        "{} is built by the owner of {table} only; GRANT the owner's role TO {role}, and GRANT CREATE ON SCHEMA {schema} TO {role}",
        finding.index
    )
}
