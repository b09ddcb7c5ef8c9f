//! Keys: indexes, foreign keys and sequences. Pure.

use super::size_estimate::share;
use super::{
    DatabaseFacts, DatabaseFault, DatabaseFinding, DatabaseRemedy, DatabaseSeverity, DoctorPolicy,
    ForeignKeyView, SequenceView, plain,
};
use crate::postgres::quoted;
use crate::{IndexFault, IndexPolicy, TableName, plan_indexes};

/// From here on a sequence's end is a matter of days.
const ALMOST: f64 = 0.9;

pub(super) fn findings(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    indexes(facts, policy, found);
    found.extend(facts.foreign_keys.iter().filter_map(|key| foreign_key(key, policy)));
    found.extend(facts.sequences.iter().filter_map(|sequence| self::sequence(sequence, policy)));
}

fn indexes(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    let unused = IndexPolicy { unused_after: policy.unused_after, ..IndexPolicy::default() };
    let plan = plan_indexes(&facts.indexes, &unused);
    for index in plan.steps.iter().chain(&plan.told) {
        let place = plain(&index.index);
        let statement = index.statement().map(DatabaseRemedy::Run);
        let beside = |other: &TableName| format!("{} bytes; {}", index.bytes, plain(other));
        let (fault, severity, figures) = match &index.fault {
            IndexFault::Leftover => {
                (DatabaseFault::LeftoverIndex, DatabaseSeverity::Warning, format!("{} bytes", index.bytes))
            }
            IndexFault::Invalid => {
                (DatabaseFault::InvalidIndex, DatabaseSeverity::Warning, format!("{} bytes", index.bytes))
            }
            IndexFault::Duplicate { of } => {
                (DatabaseFault::DuplicateIndex, DatabaseSeverity::Notice, beside(of) + " is the same")
            }
            IndexFault::Redundant { beside: other } => (
                DatabaseFault::RedundantIndex,
                DatabaseSeverity::Notice,
                beside(other) + " begins with the same keys",
            ),
            // Those are judged here by sizes, keys and statements of this look.
            IndexFault::Bloated { .. } | IndexFault::Missing { .. } | IndexFault::Scanned { .. } => continue,
            IndexFault::Unused => {
                // Deletions in the referenced table use it, however rare they are.
                let serves =
                    facts.foreign_keys.iter().flat_map(|key| &key.indexes).any(|name| is(name, &index.index));
                if index.bytes < policy.bytes_min || serves {
                    continue;
                }
                let days = facts.indexes.counted_for.as_secs() / 86_400;
                let figures = format!("{} bytes, not one scan in {days} days", index.bytes);
                (DatabaseFault::UnusedIndex, DatabaseSeverity::Notice, figures)
            }
        };
        let remedy = statement.unwrap_or_else(|| {
            let advice = "if the standbys do not use it either: DROP INDEX CONCURRENTLY";
            DatabaseRemedy::Do(format!("{advice} {}", index.index))
        });
        found.push(DatabaseFinding::new(fault, severity, place, figures, remedy));
    }
}

/// Whether a name is this one's, as the server writes it: it quotes keywords too.
fn is(name: &str, of: &TableName) -> bool {
    let ways = |part: &str| [super::sql_name(part), quoted(part)];
    let (schemas, tables) = (ways(of.schema()), ways(of.table()));
    schemas.iter().any(|schema| tables.iter().any(|table| name == format!("{schema}.{table}")))
}

fn foreign_key(key: &ForeignKeyView, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    if !key.indexes.is_empty() || key.bytes < policy.bytes_min {
        return None;
    }
    let columns: Vec<String> = key.columns.iter().map(|column| super::sql_name(column)).collect();
    let quoted: Vec<String> = key.columns.iter().map(|column| quoted(column)).collect();
    let (columns, quoted) = (columns.join(", "), quoted.join(", "));
    let size = key.index_bytes.map_or_else(String::new, |size| format!("; an index would take {size} bytes"));
    let figures = format!(
        "no index on ({columns}), {} bytes to read; {} deletions and {} changes in {}{size}",
        key.bytes, key.deletes, key.updates, key.referenced
    );
    let severity = if key.deletes > 0 { DatabaseSeverity::Warning } else { DatabaseSeverity::Notice };
    let place = format!("{} on {}", super::sql_name(&key.name), key.table);
    let run = if key.is_partitioned {
        let advice =
            "CREATE INDEX ON ONLY the table, CREATE INDEX CONCURRENTLY on each partition, and attach those";
        DatabaseRemedy::Do(format!("{advice}: {} ({quoted})", key.table))
    } else {
        DatabaseRemedy::Run(format!("CREATE INDEX CONCURRENTLY ON {} ({quoted})", key.table))
    };
    Some(DatabaseFinding::new(DatabaseFault::UnindexedForeignKey, severity, place, figures, run))
}

/// What gives a sequence more room that ends at `end`, and its column at `bound`.
fn room(sequence: &SequenceView, end: i64, bound: i64) -> String {
    let name = &sequence.name;
    match &sequence.column {
        // A sequence alone would give out what does not fit.
        Some(column) if end == bound && sequence.column_bounds.is_some() => format!(
            "widen {column} by a new column that is filled in batches, all that refer to it, and the sequence: \
             ALTER SEQUENCE {name} AS bigint"
        ),
        Some(column) if sequence.column_bounds.is_some() => {
            let word = if sequence.step > 0 { "MAXVALUE" } else { "MINVALUE" };
            format!("ALTER SEQUENCE {name} {word} {bound}, which is as far as {column} goes")
        }
        _ => format!("ALTER SEQUENCE {name} AS bigint, or give it another end"),
    }
}

fn sequence(sequence: &SequenceView, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    let (least, greatest) = sequence.column_bounds.unwrap_or((i64::MIN, i64::MAX));
    let fits = least <= sequence.min && sequence.max <= greatest;
    let last = sequence.last?;
    let up = sequence.step > 0;
    let (first, end) =
        if up { (sequence.min, sequence.max.min(greatest)) } else { (sequence.max, sequence.min.max(least)) };
    let distance = |from: i64, to: i64| {
        let steps = if up { i128::from(to) - i128::from(from) } else { i128::from(from) - i128::from(to) };
        u64::try_from(steps.max(0)).unwrap_or(u64::MAX)
    };
    let used = share(distance(first, last), distance(first, end).max(1));
    if used < policy.sequence_share {
        return None;
    }
    let left = distance(last, end) / sequence.step.unsigned_abs().max(1);
    let filled = sequence.column.as_ref().map_or_else(String::new, |column| format!(" of {column}"));
    let figures = format!("it gave out {last}, {:.1} % of its values{filled}; {left} are left", used * 100.0);
    let (fault, advice) = if sequence.cycles && fits {
        if !sequence.is_key {
            return None;
        }
        let advice =
            "a key cannot begin again: ALTER SEQUENCE … NO CYCLE, and give it and its column more room";
        (DatabaseFault::CyclingKey, advice.to_owned())
    } else {
        (DatabaseFault::ExhaustedSequence, room(sequence, end, if up { greatest } else { least }))
    };
    let severity = if used >= ALMOST { DatabaseSeverity::Critical } else { DatabaseSeverity::Warning };
    Some(DatabaseFinding::new(fault, severity, &sequence.name, figures, DatabaseRemedy::Do(advice)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_gets_the_room_that_its_column_has() {
        let check = |max: i64, step: i64, column: Option<(i64, i64)>, last: i64, text: &str| {
            let (least, greatest) = if step > 0 { (1, max) } else { (max, -1) };
            let view = SequenceView {
                name: "public.s".to_owned(),
                last: Some(last),
                min: least,
                max: greatest,
                step,
                column: column.map(|_| "public.t.id".to_owned()),
                column_bounds: column,
                ..SequenceView::default()
            };
            let found = sequence(&view, &DoctorPolicy::default()).map(|finding| finding.remedy.to_string());
            assert_eq!(found.as_deref(), Some(text), "{view:?}");
        };
        let int = (i64::from(i32::MIN), i64::from(i32::MAX));
        let both = "widen public.t.id by a new column that is filled in batches, all that refer to it, and the sequence: \
                    ALTER SEQUENCE public.s AS bigint";
        check(int.1, 1, Some(int), 2_100_000_000, both);
        check(i64::MAX, 1, Some(int), 2_100_000_000, both);
        check(int.0, -1, Some(int), -2_100_000_000, both);
        let further = |word| format!("ALTER SEQUENCE public.s {word}, which is as far as public.t.id goes");
        check(1_000, 1, Some(int), 950, &further("MAXVALUE 2147483647"));
        check(-1_000, -1, Some(int), -950, &further("MINVALUE -2147483648"));
        check(1_000, 1, None, 950, "ALTER SEQUENCE public.s AS bigint, or give it another end");
    }

    #[test]
    fn a_name_is_known_with_quotes_and_without() {
        let check = |name: &str, schema: &str, table: &str, known: bool| {
            let of = TableName::of_catalog(schema.to_owned(), table.to_owned());
            assert_eq!(is(name, &of), known, "{name} {of}");
        };
        check("public.i", "public", "i", true);
        check("public.\"order\"", "public", "order", true);
        check("\"user\".\"A b\"", "user", "A b", true);
        check("public.i", "public", "j", false);
        check("public.i", "other", "i", false);
    }
}
