//! Finds what is dangerous about a migration.

use std::collections::{BTreeMap, BTreeSet};

use squawk_linter::{Linter, Rule, Violation};
use squawk_syntax::SourceFile;

use super::known_domains::KnownDomains;
use super::statement::Statement;
use super::{
    MigratedDomain, MigratedTable, MigrationFinding, MigrationRisk, added_columns, advice, dangers, mistaken,
    partitioned, type_change,
};

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
/// Whether a table is partitioned, facts tell, or the statement that creates it earlier in the file; then what is advised is what
/// Postgres takes there, and what Postgres refuses there is told. `CREATE INDEX … ON ONLY` is believed to be about such a table where
/// nothing is known. That the partitions have a foreign key already, which makes adding it to the table itself quick, is not seen;
/// `-- squawk-ignore adding-foreign-key-constraint` says so.
///
/// What a domain asks for, [facts](MigratedDomain) tell, or the statements that create and alter it earlier in the file. Without
/// them a column of a type of any other name is believed to take no time, since most such types are enums; what alters a
/// domain is believed to concern large tables.
///
/// The server's version counts: a generated column that is not STORED, for one, takes no time from Postgres 18 on, and does not
/// run before.
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
    domains: BTreeMap<String, MigratedDomain>,
}

impl Default for MigrationLint {
    fn default() -> Self {
        Self { server: SERVER, in_transaction: true, tables: BTreeMap::new(), domains: BTreeMap::new() }
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

    /// Tells what a domain is like, by its name without the schema.
    #[must_use]
    pub fn with_domain(mut self, name: impl Into<String>, facts: MigratedDomain) -> Self {
        self.domains.insert(name.into(), facts);
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
        let mistaken = mistaken::places(&parsed);
        let violations = self.linter(in_transaction, &advice::RULES).lint(&file, sql);
        for violation in
            violations.into_iter().chain(self.lint_of_old_tables(sql, &statements, in_transaction))
        {
            let at = violation.text_range.start().into();
            if mistaken.contains(&(violation.code, at)) {
                continue;
            }
            let advice = match with_earlier(&statements, at) {
                Some((statement, earlier)) if self.is_of_partitioned(statement, earlier) => {
                    partitioned::advice(violation.code, statement, self.server)
                }
                _ => advice::of(violation.code),
            };
            if let Some(advice) = advice {
                found.push((
                    at,
                    advice.name,
                    advice.risk,
                    advice.message.to_owned(),
                    advice.instead.to_owned(),
                ));
            }
        }
        let mut domains = KnownDomains::new(self.domains.clone());
        for (place, (parsed, statement)) in parsed.iter().zip(&statements).enumerate() {
            let mut dangers = added_columns::dangers(parsed, self.server, &domains);
            domains.learn(parsed, statement);
            let mut of_all = dangers::dangers(statement, in_transaction);
            if self.is_of_partitioned(statement, statements.get(..place).unwrap_or_default()) {
                of_all.extend(partitioned::dangers(parsed, statement, self.server, in_transaction));
            }
            dangers.extend(of_all.into_iter().map(|danger| (statement.start, danger)));
            found.extend(dangers.into_iter().map(|(at, (rule, risk, message, instead))| {
                (at, rule, risk, message.to_owned(), instead.to_owned())
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

    /// Whether what the statement changes is a partitioned table, or only indexes of such.
    fn is_of_partitioned(&self, statement: &Statement, earlier: &[Statement]) -> bool {
        let indexes = statement.indexes();
        if !indexes.is_empty() {
            return indexes.into_iter().all(|index| self.is_of_partitioned_tables(index));
        }
        let Some(table) = statement.table().filter(|table| !table.is_one_of_several) else { return false };
        let creates = |earlier: &&Statement| {
            earlier.creates_a_table() && earlier.table().is_some_and(|created| created.is(&table))
        };
        match (earlier.iter().rfind(creates), self.tables.get(table.name)) {
            (Some(created), _) => created.has("partition by"),
            (None, Some(facts)) => facts.is_partitioned,
            (None, None) => statement.has("on only"),
        }
    }

    fn is_of_partitioned_tables(&self, index: &str) -> bool {
        let mut tables = self.tables.values().filter(|table| table.indexes.contains(index)).peekable();
        tables.peek().is_some() && tables.all(|table| table.is_partitioned)
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
        if rule == "domain-validates-at-once"
            && let Some(domain) = statement.domain()
        {
            let is_small = self.domains.get(domain).is_some_and(MigratedDomain::is_small);
            return match risk {
                _ if statement.has("not valid") || is_new_and_unused(domain, earlier) => None,
                MigrationRisk::Blocks if is_small => Some(MigrationRisk::Notice),
                risk => Some(risk),
            };
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

/// The statement at a place of the text, and those before it.
fn with_earlier(statements: &[Statement], at: usize) -> Option<(&Statement, &[Statement])> {
    let place = statements.iter().position(|statement| (statement.start..statement.end).contains(&at))?;
    Some((statements.get(place)?, statements.get(..place)?))
}

/// Whether these create the domain and give no table that was there a column of it.
fn is_new_and_unused(domain: &str, earlier: &[Statement]) -> bool {
    let is_created =
        |statement: &Statement| statement.begins("create domain") && statement.domain() == Some(domain);
    let uses = |statement: &Statement| statement.begins("alter table") && statement.has(domain);
    earlier.iter().any(is_created) && !earlier.iter().any(uses)
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
