//! Indexes that foreign keys and statements lack. Pure.

use super::{IndexFacts, IndexFault, IndexFinding, IndexHold, IndexPolicy};
use crate::postgres::quoted;
use crate::{TableName, WantedIndex};

/// Postgres cuts longer names.
const NAME_BYTES_MAX: usize = 63;

/// The indexes that are missing, those of foreign keys first, and whether the role may build each.
pub(super) fn missing(facts: &IndexFacts, policy: &IndexPolicy) -> Vec<(IndexFinding, bool)> {
    let mut found = Vec::new();
    for key in &facts.foreign_keys {
        // One whose build failed is built again as an invalid index.
        if !key.indexes.is_empty() || key.is_begun || key.bytes < policy.table_bytes_min {
            continue;
        }
        let (table, columns) = (key.table.clone(), key.columns.clone());
        let stem = key.name.strip_suffix("_fkey").unwrap_or(&key.name);
        let Some(index) = free_name(&key.schema, stem, "_fk_idx", facts, &found) else { continue };
        let fault = IndexFault::Missing { key: key.name.clone(), table, columns };
        let hold = if key.is_partitioned {
            Some(IndexHold::Partitioned)
        } else if policy.creates {
            size_hold(key.index_bytes, policy)
        } else {
            Some(IndexHold::NotAskedFor)
        };
        add(
            IndexFinding { index, fault, bytes: key.index_bytes.unwrap_or(0), hold },
            key.may_build,
            &mut found,
        );
    }
    // The longest first: it serves those that it begins with.
    let mut wanted: Vec<&WantedIndex> = facts.wanted.iter().collect();
    wanted.sort_by_key(|wanted| std::cmp::Reverse(wanted.columns.len()));
    for wanted in wanted {
        if is_unsettled(facts, wanted) {
            continue;
        }
        let (table, columns) = (wanted.table.clone(), wanted.columns.clone());
        let stem = format!("{}_{}", table_of(&table), columns.join("_"));
        let Some(index) = free_name(&wanted.schema, &stem, "_scan_idx", facts, &found) else { continue };
        let costs = wanted.trial.as_ref().map(|trial| (trial.cost_before, trial.cost_after));
        let fault = IndexFault::Scanned { table, columns, calls: wanted.calls, costs };
        let hold = scan_hold(wanted, policy);
        add(
            IndexFinding { index, fault, bytes: wanted.bytes.unwrap_or(0), hold },
            wanted.may_build,
            &mut found,
        );
    }
    found
}

/// Adds it, unless one that is built anyway serves as well, or the same is known and not built either.
fn add(finding: IndexFinding, may_build: bool, found: &mut Vec<(IndexFinding, bool)>) {
    let serves = |other: &IndexFinding| match (other.fault.lacks(), finding.fault.lacks()) {
        (Some((table, columns)), Some((own_table, own_columns))) => {
            table == own_table
                && begins_with(columns, own_columns)
                && (other.hold.is_none() || finding.hold.is_some() && columns.len() == own_columns.len())
        }
        _ => false,
    };
    if !found.iter().any(|(other, _)| serves(other)) {
        found.push((finding, may_build));
    }
}

/// Whether an index begins with these columns. Each is compared to one value, or there is one alone: their order is nothing.
fn begins_with(columns: &[String], own: &[String]) -> bool {
    columns.get(..own.len()).is_some_and(|first| own.iter().all(|column| first.contains(column)))
}

/// Whether an index of the table is half-built: it may be this one.
fn is_unsettled(facts: &IndexFacts, wanted: &WantedIndex) -> bool {
    let mut own = facts.indexes.iter().filter(|index| index.table == wanted.table);
    own.any(|index| index.is_being_built || !index.is_valid)
}

fn scan_hold(wanted: &WantedIndex, policy: &IndexPolicy) -> Option<IndexHold> {
    if wanted.is_partitioned {
        return Some(IndexHold::Partitioned);
    }
    let Some(gain_min) = policy.scan_gain_min else { return Some(IndexHold::NotAskedFor) };
    let Some(trial) = &wanted.trial else { return Some(IndexHold::NotTried) };
    if trial.gain() >= gain_min { size_hold(wanted.bytes, policy) } else { Some(IndexHold::GainsLittle) }
}

pub(super) fn size_hold(bytes: Option<u64>, policy: &IndexPolicy) -> Option<IndexHold> {
    let Some(bytes) = bytes else { return Some(IndexHold::UnknownSize) };
    let bytes_max = policy.build_bytes_max;
    (bytes > bytes_max).then_some(IndexHold::TooLarge { bytes_max })
}

/// A table's name as a part of another: without its schema.
fn table_of(name: &str) -> &str {
    let parts = if name.ends_with('"') { name.rsplit_once(".\"") } else { name.rsplit_once('.') };
    parts.map_or(name, |(_, table)| table).trim_matches('"')
}

/// A name that tells what the index is for and that no index has.
fn free_name(
    schema: &str,
    stem: &str,
    ending: &str,
    facts: &IndexFacts,
    found: &[(IndexFinding, bool)],
) -> Option<TableName> {
    let taken = |name: &TableName| {
        facts.indexes.iter().any(|index| index.name == *name)
            || found.iter().any(|(other, _)| other.index == *name)
    };
    (0..100).find_map(|number: u32| {
        let ending = if number == 0 { ending.to_owned() } else { format!("{ending}{number}") };
        let room = stem.floor_char_boundary(NAME_BYTES_MAX - ending.len());
        let name = format!("{}{ending}", stem.get(..room).unwrap_or_default());
        let name = TableName::of_catalog(schema.to_owned(), name);
        (!taken(&name)).then_some(name)
    })
}

/// What the role lacks to build it.
pub(super) fn obstacle(finding: &IndexFinding, role: &str) -> String {
    let table = finding.fault.lacks().map_or("its table", |(table, _)| table);
    let (schema, role) = (quoted(finding.index.schema()), quoted(role));
    format!(
        "{} is built by the owner of {table} only; GRANT the owner's role TO {role}, and GRANT CREATE ON SCHEMA {schema} TO {role}",
        finding.index
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ForeignKeyView, IndexTrial, IndexView};

    fn wanted(columns: &[&str], bytes: Option<u64>, costs: Option<(u64, u64)>) -> WantedIndex {
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        let trial = costs.map(|(cost_before, cost_after)| {
            let (table, columns) = ("public.\"T.x\"".to_owned(), columns.clone());
            IndexTrial { table, columns, bytes: 1, cost_before, cost_after, is_used: true }
        });
        WantedIndex {
            table: "public.\"T.x\"".to_owned(),
            schema: "public".to_owned(),
            columns,
            calls: 7,
            bytes,
            may_build: true,
            trial,
            ..WantedIndex::default()
        }
    }

    fn check(facts: &IndexFacts, policy: IndexPolicy, told: &[(&str, Option<IndexHold>)]) {
        let found = missing(facts, &policy);
        let found: Vec<_> = found.iter().map(|(finding, _)| (finding.index.table(), finding.hold)).collect();
        assert_eq!(found, told);
    }

    #[test]
    fn what_scans_lack_is_built_where_the_planner_gains_enough_by_it() {
        let gains = Some((1000, 100));
        let facts = IndexFacts {
            wanted: vec![
                wanted(&["a"], Some(10), gains),
                wanted(&["slow"], Some(10), Some((1000, 101))),
                wanted(&["untried"], Some(10), None),
                wanted(&["large"], Some(10 << 40), gains),
                wanted(&["unknown"], None, gains),
                WantedIndex { is_partitioned: true, ..wanted(&["parts"], Some(10), gains) },
            ],
            ..IndexFacts::default()
        };
        let policy = IndexPolicy::default();
        let too_large = IndexHold::TooLarge { bytes_max: 8 << 30 };
        check(
            &facts,
            policy.with_scan_creates(10.0),
            &[
                ("T.x_a_scan_idx", None),
                ("T.x_slow_scan_idx", Some(IndexHold::GainsLittle)),
                ("T.x_untried_scan_idx", Some(IndexHold::NotTried)),
                ("T.x_large_scan_idx", Some(too_large)),
                ("T.x_unknown_scan_idx", Some(IndexHold::UnknownSize)),
                ("T.x_parts_scan_idx", Some(IndexHold::Partitioned)),
            ],
        );
        let never = missing(&facts, &policy.with_scan_creates(f64::NAN));
        assert!(never.iter().all(|(finding, _)| finding.hold.is_some()), "{never:?}");
        let unasked = missing(&facts, &policy.with_creates());
        assert!(unasked.iter().all(|(finding, _)| finding.hold.is_some()), "{unasked:?}");
        assert_eq!(
            missing(&facts, &policy.with_scan_creates(1.0))[0].0.statement().unwrap(),
            "CREATE INDEX CONCURRENTLY \"T.x_a_scan_idx\" ON public.\"T.x\" (\"a\")"
        );
    }

    #[test]
    fn one_index_serves_all_that_begins_like_it_and_a_half_built_one_is_waited_for() {
        let policy = IndexPolicy::default().with_creates().with_scan_creates(2.0);
        let gains = Some((9, 1));
        let key = ForeignKeyView {
            name: "k_fkey".to_owned(),
            table: "public.\"T.x\"".to_owned(),
            schema: "public".to_owned(),
            columns: vec!["k".to_owned()],
            bytes: 10 << 20,
            index_bytes: Some(1),
            may_build: true,
            ..ForeignKeyView::default()
        };
        let mut facts = IndexFacts {
            wanted: vec![
                wanted(&["k"], Some(1), gains),
                wanted(&["a"], Some(1), gains),
                wanted(&["a", "b"], Some(1), gains),
                wanted(&["c"], Some(1), gains),
                wanted(&["c", "d"], Some(1), None),
            ],
            foreign_keys: vec![key],
            ..IndexFacts::default()
        };
        check(
            &facts,
            policy,
            &[
                ("k_fk_idx", None),
                ("T.x_a_b_scan_idx", None),
                ("T.x_c_d_scan_idx", Some(IndexHold::NotTried)),
                ("T.x_c_scan_idx", None),
            ],
        );
        let mut half = IndexView::new("half".parse().unwrap(), "public.\"T.x\"", vec!["z".to_owned()]);
        half.is_valid = false;
        facts.indexes.push(half);
        check(&facts, policy, &[("k_fk_idx", None)]);
    }

    #[test]
    fn what_is_held_hides_nothing_that_may_be_built_and_the_order_of_columns_hides_nothing_new() {
        let key = |columns: &[&str]| ForeignKeyView {
            name: "k_fkey".to_owned(),
            table: "public.\"T.x\"".to_owned(),
            schema: "public".to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            bytes: 10 << 20,
            index_bytes: Some(1),
            may_build: true,
            ..ForeignKeyView::default()
        };
        let gains = Some((9, 1));
        let facts = |keys: &[&str], wanted| IndexFacts {
            foreign_keys: vec![key(keys)],
            wanted,
            ..IndexFacts::default()
        };
        let (scans, keys) =
            (IndexPolicy::default().with_scan_creates(2.0), IndexPolicy::default().with_creates());
        let not_asked_for = Some(IndexHold::NotAskedFor);
        let same = facts(&["k"], vec![wanted(&["k"], Some(1), gains)]);
        check(&same, scans, &[("k_fk_idx", not_asked_for), ("T.x_k_scan_idx", None)]);
        check(&same, IndexPolicy::default(), &[("k_fk_idx", not_asked_for)]);
        check(&same, keys, &[("k_fk_idx", None)]);
        let both = keys.with_scan_creates(2.0);
        let turned = facts(&["a", "b"], vec![wanted(&["b", "a"], Some(1), gains)]);
        check(&turned, both, &[("k_fk_idx", None)]);
        let part = facts(&["a", "b"], vec![wanted(&["b"], Some(1), gains)]);
        check(&part, both, &[("k_fk_idx", None), ("T.x_b_scan_idx", None)]);
    }

    #[test]
    fn a_tables_name_loses_its_schema_and_its_quotes() {
        for (name, table) in
            [("public.t", "t"), ("\"S.s\".t", "t"), ("s.\"T.x\"", "T.x"), ("t", "t"), ("\"S\".\"T\"", "T")]
        {
            assert_eq!(table_of(name), table, "{name}");
        }
    }
}
