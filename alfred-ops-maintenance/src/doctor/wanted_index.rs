//! Indexes that statements lack which read whole tables. Pure.

use super::predicate::Predicates;
use super::size_estimate::{btree_bytes, share};
use super::{ColumnView, DatabaseFacts, DoctorPolicy, IndexTrial, StatementView, TableView};

const PAGE: u64 = 8192;
/// A statement reads a whole table if it reads so large a share of its pages,
const READ_SHARE: f64 = 0.5;
/// and an index would help if it returns at most so large a share of its rows.
const FOUND_SHARE: f64 = 0.01;
/// One value of a column may be in so many rows at most.
const VALUE_SHARE: f64 = 0.05;

/// An index that a statement lacks which reads a whole table for few rows, again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WantedIndex {
    /// The table, as SQL has it.
    pub table: String,
    /// Its schema, as the catalog has it.
    pub schema: String,
    /// The columns of the index, as the catalog has them.
    pub columns: Vec<String>,
    /// Columns that the statement compares to one value each: those of the index among them.
    pub equal: Vec<String>,
    /// Columns that it looks for between values.
    pub ranged: Vec<String>,
    /// How often the statement was called,
    pub calls: u64,
    /// and so many blocks it read each time,
    pub blocks: u64,
    /// for so many rows.
    pub rows: u64,
    /// The statement with constants taken out, shortened.
    pub statement: String,
    /// What the index would take, in bytes, where that can be told.
    pub bytes: Option<u64>,
    /// Whether the table is partitioned: no index is built on it while others write.
    pub is_partitioned: bool,
    /// Whether the role may build an index there.
    pub may_build: bool,
    /// What the planner would make of it, where it was asked.
    pub trial: Option<IndexTrial>,
}

/// The indexes that statements lack, each once: for the statement that reads most.
pub(crate) fn wanted_indexes(facts: &DatabaseFacts, policy: &DoctorPolicy) -> Vec<WantedIndex> {
    let mut found: Vec<WantedIndex> = Vec::new();
    let often = |statement: &&StatementView| statement.calls >= policy.scans_min.max(1);
    for statement in facts.statements.iter().flatten().filter(often) {
        let Some(predicates) = Predicates::of(&statement.text) else { continue };
        let mut named = facts.tables.iter().filter(|table| predicates.is_about(&table.name));
        // A name without its schema may be any table's of that name.
        let (Some(table), None) = (named.next(), named.next()) else { continue };
        let Some(columns) = useful_index(statement, &predicates, table, policy) else { continue };
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        if found.iter().any(|other| other.table == table.name && other.columns == names) {
            continue;
        }
        let is_known = |name: &String| table.columns.iter().any(|column| column.name == *name);
        let known = |names: Vec<String>| names.into_iter().filter(|name| is_known(name)).collect();
        let trial = facts.trials.iter().find(|trial| trial.table == table.name && trial.columns == names);
        let estimate = table.rows.and_then(|rows| btree_bytes(rows, &columns, 90, true));
        found.push(WantedIndex {
            table: table.name.clone(),
            schema: table.schema.clone(),
            columns: names,
            equal: known(predicates.equal),
            ranged: known(predicates.ranged),
            calls: statement.calls,
            blocks: statement.blocks / statement.calls.max(1),
            rows: statement.rows / statement.calls.max(1),
            statement: shortened(&statement.text),
            bytes: estimate.or(trial.map(|trial| trial.bytes)),
            is_partitioned: table.kind == 'p',
            may_build: table.may_build,
            trial: trial.cloned(),
        });
    }
    // The planner has the last word.
    found.retain(|wanted| wanted.trial.as_ref().is_none_or(|trial| trial.is_used));
    found
}

/// The columns of an index that would save the statement from reading the whole table.
fn useful_index(
    statement: &StatementView,
    predicates: &Predicates,
    table: &TableView,
    policy: &DoctorPolicy,
) -> Option<Vec<ColumnView>> {
    let rows = table.rows.filter(|rows| *rows > 0)?;
    let reads_all = share(statement.blocks, statement.calls) >= READ_SHARE * share(table.bytes, PAGE);
    let finds_few = share(statement.rows, statement.calls) <= FOUND_SHARE * share(rows, 1);
    if table.bytes < policy.bytes_min || !reads_all || !finds_few {
        return None;
    }
    let known = |name: &String| table.columns.iter().find(|column| column.name == *name);
    let equal: Vec<&ColumnView> = predicates.equal.iter().filter_map(known).collect();
    let ranged: Vec<&ColumnView> = predicates.ranged.iter().filter_map(known).collect();
    // The planner had an index and chose not to use it.
    if equal.iter().chain(&ranged).any(|column| column.leads_index) {
        return None;
    }
    let per_value = |column: &&&ColumnView| {
        let values = if column.distinct < 0.0 { -column.distinct * share(rows, 1) } else { column.distinct };
        1.0 / values.max(1.0) <= VALUE_SHARE
    };
    let mut columns: Vec<ColumnView> = equal.iter().filter(per_value).map(|&column| column.clone()).collect();
    if columns.is_empty() && !predicates.aggregates {
        columns.extend(ranged.first().map(|&column| column.clone()));
    }
    (!columns.is_empty()).then_some(columns)
}

fn shortened(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    let text = text.join(" ");
    if text.len() <= 200 { text } else { format!("{}…", &text[..text.floor_char_boundary(200)]) }
}
