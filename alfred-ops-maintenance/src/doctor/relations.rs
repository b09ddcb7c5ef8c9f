//! Tables and indexes: space, dead rows, statistics, and how they are read. Pure.

use super::size_estimate::{share, waste_share};
use super::wanted_index::wanted_indexes;
use super::{
    DatabaseFacts, DatabaseFault, DatabaseFinding, DatabaseRemedy, DatabaseSeverity, DoctorPolicy, IndexSize,
    TableView, WantedIndex,
};
use crate::postgres::quoted;

/// A few dead rows hurt nobody, whatever autovacuum begins at.
const DEAD_MIN: u64 = 1_000;
/// Tables that are only known to be scanned are named up to so many.
const SCANNED_MAX: usize = 5;

pub(super) fn findings(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    for table in &facts.tables {
        found.extend(bloated_table(table, policy));
        found.extend(vacuum(table, policy));
        found.extend(not_analyzed(table, policy));
    }
    found.extend(facts.index_sizes.iter().filter_map(|index| bloated_index(index, policy)));
    if facts.statements.is_some() {
        found.extend(wanted_indexes(facts, policy).iter().map(missing_index));
    } else {
        scans(facts, policy, found);
    }
}

/// The share of a table that is neither rows, dead ones among them, nor left free on purpose: measured, else estimated.
pub(super) fn table_waste(table: &TableView) -> Option<f64> {
    let fill = f64::from(table.fill_factor.clamp(10, 100)) / 100.0;
    if let Some(free) = table.free_share {
        // What is not free would fill the pages of a new table as far as it wants them filled.
        return Some((1.0 - (1.0 - free) / fill).max(0.0));
    }
    table.estimated_bytes().map(|needed| waste_share(table.bytes, needed))
}

/// The share of an index that it would not need if it was built anew: measured, else estimated.
pub(crate) fn index_waste(index: &IndexSize) -> Option<f64> {
    index.waste_share.or_else(|| index.estimated_bytes().map(|needed| waste_share(index.bytes, needed)))
}

fn bloated_table(table: &TableView, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    if !matches!(table.kind, 'r' | 'm') {
        return None;
    }
    let waste = table_waste(table)?;
    let wasted = part(table.bytes, waste);
    (waste >= policy.bloat_share && wasted >= policy.bloat_bytes_min.max(1)).then(|| {
        let how = if table.free_share.is_some() { "measured" } else { "estimated" };
        let advice = format!(
            "rewrite it with pg_repack or pg_squeeze while others work (they need {} bytes of disk); VACUUM (FULL) locks \
             everybody out",
            table.bytes - wasted
        );
        let figures = format!("{wasted} of {} bytes are empty ({how})", table.bytes);
        notice(DatabaseFault::BloatedTable, &table.name, figures, DatabaseRemedy::Do(advice))
    })
}

fn bloated_index(index: &IndexSize, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    let waste = index_waste(index)?;
    let wasted = part(index.bytes, waste);
    (waste >= policy.bloat_share && wasted >= policy.bloat_bytes_min.max(1)).then(|| {
        let how = if index.waste_share.is_some() { "measured" } else { "estimated" };
        let figures = format!(
            "a new one would take {} of its {} bytes ({how}), which the disk needs beside it meanwhile",
            index.bytes - wasted,
            index.bytes
        );
        let run = DatabaseRemedy::Run(format!("REINDEX INDEX CONCURRENTLY {}", index.name));
        notice(DatabaseFault::BloatedIndex, &index.name, figures, run)
    })
}

fn vacuum(table: &TableView, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    if !matches!(table.kind, 'r' | 'm') {
        return None;
    }
    let figures = format!("{} dead rows, autovacuum would begin at {}", table.dead, table.vacuum_from);
    if !table.autovacuum {
        let matters = table.dead >= table.vacuum_from.max(DEAD_MIN)
            || table.writes > 0 && table.bytes >= policy.bytes_min;
        let run = DatabaseRemedy::Run(format!("ALTER TABLE {} RESET (autovacuum_enabled)", table.name));
        return matters.then(|| {
            let severity = DatabaseSeverity::Warning;
            DatabaseFinding::new(DatabaseFault::AutovacuumOff, severity, &table.name, figures, run)
        });
    }
    let behind =
        share(table.dead, table.vacuum_from.max(1)) >= policy.vacuum_factor && table.dead >= DEAD_MIN;
    behind.then(|| {
        let last = table.vacuumed_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let run =
            DatabaseRemedy::Run(format!("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {}", table.name));
        let figures = format!("{figures}; last vacuumed: {last}");
        let severity = DatabaseSeverity::Warning;
        DatabaseFinding::new(DatabaseFault::VacuumBehind, severity, &table.name, figures, run)
    })
}

fn not_analyzed(table: &TableView, policy: &DoctorPolicy) -> Option<DatabaseFinding> {
    let matters = table.kind == 'f' || table.bytes >= policy.bytes_min.max(1);
    (matters && !table.has_statistics).then(|| {
        let why = match table.kind {
            'p' => "autovacuum never analyzes partitioned tables",
            'f' => "autovacuum never analyzes foreign tables",
            _ => "it has no statistics",
        };
        let run = DatabaseRemedy::Run(format!("ANALYZE {}", table.name));
        notice(DatabaseFault::NotAnalyzed, &table.name, format!("{} bytes; {why}", table.bytes), run)
    })
}

/// Statements that read whole tables for a few rows.
fn missing_index(wanted: &WantedIndex) -> DatabaseFinding {
    let names: Vec<String> = wanted.columns.iter().map(|column| super::sql_name(column)).collect();
    let place = format!("{} ({})", wanted.table, names.join(", "));
    let size = wanted.bytes.map_or_else(|| "an index".to_owned(), |size| format!("an index of {size} bytes"));
    let cost = wanted.trial.as_ref().map_or_else(String::new, |trial| {
        format!("; the planner's cost would fall from {} to {}", trial.cost_before, trial.cost_after)
    });
    let figures = format!(
        "called {} times, {} blocks for {} rows each time, where {size} would do{cost}: {}",
        wanted.calls, wanted.blocks, wanted.rows, wanted.statement
    );
    let quoted: Vec<String> = wanted.columns.iter().map(|column| quoted(column)).collect();
    let statement = format!("CREATE INDEX CONCURRENTLY ON {} ({})", wanted.table, quoted.join(", "));
    let run = DatabaseRemedy::Run(statement);
    DatabaseFinding::new(DatabaseFault::MissingIndex, DatabaseSeverity::Warning, place, figures, run)
}

/// Whole tables that are read again and again, where nobody can tell by what.
fn scans(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    let mut scanned: Vec<&TableView> = facts
        .tables
        .iter()
        .filter(|table| table.bytes >= policy.bytes_min && table.seq_scans >= policy.scans_min.max(1))
        .filter(|table| table.seq_rows / table.seq_scans.max(1) >= table.rows.unwrap_or(u64::MAX) / 2)
        .collect();
    scanned.sort_by_key(|table| std::cmp::Reverse(table.seq_rows));
    for table in scanned.into_iter().take(SCANNED_MAX) {
        let figures =
            format!("{} scans read {} rows of {} bytes", table.seq_scans, table.seq_rows, table.bytes);
        let advice = "load pg_stat_statements, which tells by which statements".to_owned();
        found.push(notice(DatabaseFault::SequentialScans, &table.name, figures, DatabaseRemedy::Do(advice)));
    }
}

fn notice(fault: DatabaseFault, place: &str, figures: String, remedy: DatabaseRemedy) -> DatabaseFinding {
    DatabaseFinding::new(fault, DatabaseSeverity::Notice, place, figures, remedy)
}

pub(crate) fn part(bytes: u64, share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of bytes, rounded"
    )]
    let part = (bytes as f64 * share.clamp(0.0, 1.0)) as u64;
    part.min(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fill_factor_leaves_free_is_a_part_of_the_new_table_and_not_of_the_old() {
        let check = |fill_factor, free, waste: f64| {
            let table = TableView { fill_factor, free_share: Some(free), ..TableView::default() };
            assert!((table_waste(&table).unwrap() - waste).abs() < 0.01, "{fill_factor} {free}");
        };
        check(100, 0.5, 0.5);
        check(70, 0.3, 0.0);
        check(70, 0.1, 0.0);
        check(70, 0.86, 0.8);
    }
}
