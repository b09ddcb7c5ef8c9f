//! Finds what is dangerous about a migration.

use std::collections::{BTreeMap, BTreeSet};

use squawk_linter::{Linter, Rule, Violation};
use squawk_syntax::SourceFile;

use super::statement::Statement;
use super::{MigratedTable, MigrationFinding, MigrationRisk, added_columns, advice, dangers, type_change};

/// How sqlx' migrator is told to leave the transaction out.
const NO_TRANSACTION: &str = "-- no-transaction";
const SERVER: u16 = 15;

/// Finds what is dangerous about a migration while others use the database, and says how else to write it.
///
/// What it looks at is one file at a time, the way a migrator runs it: within a transaction, unless the file begins with
/// `-- no-transaction`. A table that the file itself creates is nobody else's yet, and may be changed at will by the name that it
/// was created by; with `IF NOT EXISTS` it may be old. With [facts](MigratedTable) of the tables it is silent on what takes no
/// time: on small tables, and on types that only become wider.
///
/// Most rules are those of the crate `squawk-linter`; matters of taste are left out. A comment `-- squawk-ignore RULE` before
/// a statement, with the linter's own names, is honoured.
///
/// ```
/// use alfred_ops_maintenance::MigrationLint;
///
/// let findings = MigrationLint::new().check("0042_status.sql", "CREATE INDEX status ON tasks (status);");
/// assert_eq!(
///     findings[0].to_string(),
///     "0042_status.sql:1:1: blocks: writes to the table wait until the index is built; \
///      CREATE INDEX CONCURRENTLY, in a migration without a transaction [index-not-concurrent]"
/// );
/// ```
#[derive(Debug, Clone)]
pub struct MigrationLint {
    server: u16,
    in_transaction: bool,
    tables: BTreeMap<String, MigratedTable>,
}

impl Default for MigrationLint {
    fn default() -> Self {
        Self { server: SERVER, in_transaction: true, tables: BTreeMap::new() }
    }
}

impl MigrationLint {
    /// For Postgres 15 and a migrator that runs each file in a transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the server's major version.
    #[must_use]
    pub const fn for_server(mut self, major: u16) -> Self {
        self.server = major;
        self
    }

    /// For a migrator that runs statements one by one, each in a transaction of its own.
    #[must_use]
    pub const fn outside_of_transactions(mut self) -> Self {
        self.in_transaction = false;
        self
    }

    /// Tells what a table is like, by its name without the schema.
    #[must_use]
    pub fn with_table(mut self, name: impl Into<String>, facts: MigratedTable) -> Self {
        self.tables.insert(name.into(), facts);
        self
    }

    /// What is dangerous about the file `migration` that reads `sql`, in its order. Text that is no SQL is a finding too.
    #[must_use]
    pub fn check(&self, migration: &str, sql: &str) -> Vec<MigrationFinding> {
        let file = SourceFile::parse(sql);
        let in_transaction = self.in_transaction && !sql.trim_start().starts_with(NO_TRANSACTION);
        let parsed: Vec<_> = file.tree().stmts().collect();
        let statements: Vec<Statement> = parsed.iter().map(Statement::of).collect();
        let mut found = Vec::new();
        for error in file.errors() {
            let at = error.range().start().into();
            let text = error.message().to_owned();
            found.push((at, "syntax", MigrationRisk::Fails, text, "correct it".to_owned()));
        }
        let violations = self.linter(in_transaction, &advice::RULES).lint(&file, sql);
        for violation in
            violations.into_iter().chain(self.lint_of_old_tables(sql, &statements, in_transaction))
        {
            if let Some(advice) = advice::of(violation.code) {
                let at = violation.text_range.start().into();
                found.push((
                    at,
                    advice.name,
                    advice.risk,
                    advice.message.to_owned(),
                    advice.instead.to_owned(),
                ));
            }
        }
        for (at, (rule, risk, message, instead)) in parsed.iter().flat_map(added_columns::dangers) {
            found.push((at, rule, risk, message.to_owned(), instead.to_owned()));
        }
        for statement in &statements {
            let dangers = dangers::dangers(statement, in_transaction).into_iter();
            found.extend(dangers.map(|(rule, risk, message, instead)| {
                (statement.start, rule, risk, message.to_owned(), instead.to_owned())
            }));
        }
        found.sort_by_key(|(at, ..)| *at);
        let mut findings: Vec<MigrationFinding> = Vec::new();
        let mut told = BTreeSet::new();
        for (at, rule, risk, message, instead) in found {
            let place =
                statements.iter().position(|statement| (statement.start..statement.end).contains(&at));
            let statement = place.and_then(|place| statements.get(place));
            let earlier = statements.get(..place.unwrap_or(0)).unwrap_or_default();
            let Some(risk) = self.judged(rule, risk, at, statement, earlier) else { continue };
            // Of a statement that does two things of a kind one is told.
            if statement.is_some() && !told.insert((place, rule)) {
                continue;
            }
            let (line, column) = line_and_column(sql, at);
            findings.push(MigrationFinding {
                rule,
                risk,
                migration: migration.to_owned(),
                line,
                column,
                table: statement.and_then(Statement::table).map(|table| table.name.to_owned()),
                message,
                instead,
            });
        }
        findings
    }

    /// What the linter finds where it is not told of the tables that the file creates: it goes by their names without the schema,
    /// and believes `IF NOT EXISTS` to make a new one. Which of them are new is judged here.
    fn lint_of_old_tables(
        &self,
        sql: &str,
        statements: &[Statement],
        in_transaction: bool,
    ) -> Vec<Violation> {
        let creating: Vec<_> = statements.iter().filter(|statement| statement.begins("create")).collect();
        if !creating.iter().any(|statement| statement.has("table")) {
            return Vec::new();
        }
        let mut text = sql.as_bytes().to_vec();
        for statement in creating.iter().filter(|statement| !statement.has("index")) {
            for byte in text.get_mut(statement.start..statement.end).unwrap_or_default() {
                *byte = if *byte == b'\n' { b'\n' } else { b' ' };
            }
        }
        let text = String::from_utf8(text).unwrap_or_default();
        self.linter(in_transaction, &advice::RULES_OF_OLD_TABLES).lint(&SourceFile::parse(&text), &text)
    }

    fn linter(&self, in_transaction: bool, rules: &[Rule]) -> Linter {
        let mut linter = Linter::from(rules.iter().copied());
        linter.settings.assume_in_transaction = in_transaction;
        if let Ok(version) = format!("{}.0", self.server).parse() {
            linter.settings.pg_version = version;
        }
        if !in_transaction {
            linter.rules.remove(&Rule::TransactionNesting);
        }
        linter
    }

    /// The risk, in view of what is known of the table; `None` if there is none.
    fn judged(
        &self,
        rule: &str,
        risk: MigrationRisk,
        at: usize,
        statement: Option<&Statement>,
        earlier: &[Statement],
    ) -> Option<MigrationRisk> {
        let Some(statement) = statement else { return Some(risk) };
        if rule == "domain-validates-at-once" && statement.has("not valid") {
            return None;
        }
        let Some(table) = statement.table() else { return Some(risk) };
        let is_new = !table.is_one_of_several
            && earlier.iter().any(|earlier| {
                earlier.creates_a_table() && earlier.table().is_some_and(|created| created.is(&table))
            });
        if is_new && matches!(risk, MigrationRisk::Blocks | MigrationRisk::Breaks) {
            return None;
        }
        let facts = self.tables.get(table.name).filter(|_| !table.is_one_of_several);
        if rule == "type-change-rewrites"
            && let Some((column, to)) = statement.type_change_at(at)
            && facts
                .and_then(|facts| facts.columns.get(column))
                .is_some_and(|from| type_change::is_free(from, &to))
        {
            return None;
        }
        let is_small = facts.is_some_and(MigratedTable::is_small);
        Some(if is_small && risk == MigrationRisk::Blocks { MigrationRisk::Notice } else { risk })
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
