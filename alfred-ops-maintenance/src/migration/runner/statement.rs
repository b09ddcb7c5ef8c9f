//! What a statement of a migration is about, as far as its runner must know.

use super::words::{Word, statements};
use crate::postgres::quoted;

/// A name, with its schema where the text gives one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) schema: Option<String>,
    pub(super) name: String,
}

impl Name {
    /// As it stands in SQL.
    pub(super) fn quoted(&self) -> String {
        let name = quoted(&self.name);
        self.schema.as_deref().map_or_else(|| name.clone(), |schema| format!("{}.{name}", quoted(schema)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// `CREATE INDEX CONCURRENTLY`, which may leave an index that is not valid.
    BuildsIndex {
        index: Option<String>,
        table: Name,
    },
    /// `REINDEX INDEX CONCURRENTLY`, which may leave a copy of the index.
    RebuildsIndex(Name),
    /// `REINDEX TABLE CONCURRENTLY`, likewise.
    RebuildsIndexesOf(Name),
    /// `REINDEX SCHEMA` and the like, and `VACUUM`: nobody waits behind them.
    Tends,
    /// `DROP INDEX CONCURRENTLY`, which may leave the index not valid.
    DropsIndexes(Vec<Name>),
    /// `ALTER TABLE … VALIDATE CONSTRAINT`.
    Validates {
        constraints: Vec<String>,
        table: Name,
    },
    /// Any other that takes something away, and nothing else.
    Drops,
    Other,
}

impl Statement {
    pub(super) fn all_of(sql: &str) -> Vec<Self> {
        statements(sql).iter().map(|words| Cursor { words }.statement().unwrap_or(Self::Other)).collect()
    }

    /// Whether it waits for others without anybody having to wait behind it.
    pub(super) const fn holds_nobody_up(&self) -> bool {
        !matches!(self, Self::Drops | Self::Other | Self::Validates { .. })
    }

    pub(super) const fn takes_away(&self) -> bool {
        matches!(self, Self::DropsIndexes(_) | Self::Drops)
    }
}

/// Reads words one behind the other.
struct Cursor<'a> {
    words: &'a [Word],
}

impl Cursor<'_> {
    fn next_is(&self, keyword: &str) -> bool {
        matches!(self.words.first(), Some(Word::Plain(word)) if word == keyword)
    }

    /// Passes these words over if they come next.
    fn eat(&mut self, keywords: &str) -> bool {
        let words = self.words;
        for keyword in keywords.split(' ') {
            if !self.next_is(keyword) {
                self.words = words;
                return false;
            }
            self.words = self.words.get(1..).unwrap_or_default();
        }
        true
    }

    fn eat_symbol(&mut self, symbol: char) -> bool {
        let is_next = self.words.first() == Some(&Word::Symbol(symbol));
        if is_next {
            self.words = self.words.get(1..).unwrap_or_default();
        }
        is_next
    }

    fn identifier(&mut self) -> Option<String> {
        let (Word::Plain(name) | Word::Quoted(name)) = self.words.first()? else { return None };
        self.words = self.words.get(1..).unwrap_or_default();
        Some(name.clone())
    }

    fn name(&mut self) -> Option<Name> {
        let (mut schema, mut name) = (None, self.identifier()?);
        while self.eat_symbol('.') {
            (schema, name) = (Some(name), self.identifier()?);
        }
        Some(Name { schema, name })
    }

    fn statement(&mut self) -> Option<Statement> {
        if self.eat("create") {
            let _ = self.eat("unique");
            return if self.eat("index concurrently") { self.build() } else { None };
        }
        if self.eat("drop index concurrently") {
            let _ = self.eat("if exists");
            let mut indexes = vec![self.name()?];
            while self.eat_symbol(',') {
                indexes.push(self.name()?);
            }
            return Some(Statement::DropsIndexes(indexes));
        }
        if self.eat("drop") {
            return Some(Statement::Drops);
        }
        if self.eat("reindex") {
            return self.rebuild();
        }
        if self.eat("vacuum") {
            let is_full = self.words.iter().any(|word| *word == Word::Plain("full".to_owned()));
            return (!is_full).then_some(Statement::Tends);
        }
        if self.eat("alter table") { self.alteration() } else { None }
    }

    fn build(&mut self) -> Option<Statement> {
        let _ = self.eat("if not exists");
        // `on` is no name without quotes.
        let index = if self.next_is("on") { None } else { Some(self.identifier()?) };
        if !self.eat("on") {
            return None;
        }
        let _ = self.eat("only");
        Some(Statement::BuildsIndex { index, table: self.name()? })
    }

    fn rebuild(&mut self) -> Option<Statement> {
        let mut is_concurrent = false;
        if self.eat_symbol('(') {
            while !self.eat_symbol(')') {
                is_concurrent |= self.next_is("concurrently");
                self.words = self.words.get(1..)?;
            }
        }
        let what = self.identifier()?;
        is_concurrent |= self.eat("concurrently");
        if !is_concurrent {
            return None;
        }
        match what.as_str() {
            "index" => self.name().map(Statement::RebuildsIndex),
            "table" => self.name().map(Statement::RebuildsIndexesOf),
            _ => Some(Statement::Tends),
        }
    }

    fn alteration(&mut self) -> Option<Statement> {
        let _ = self.eat("if exists");
        let _ = self.eat("only");
        let table = self.name()?;
        let (mut constraints, mut drops, mut adds) = (Vec::new(), false, false);
        while !self.words.is_empty() {
            if self.eat("validate constraint") {
                constraints.extend(self.identifier());
            } else if self.eat("drop") {
                drops |= !["not", "default", "expression", "identity"].iter().any(|what| self.next_is(what));
            } else {
                adds |= self.next_is("add") || self.next_is("alter");
                self.words = self.words.get(1..).unwrap_or_default();
            }
        }
        if !constraints.is_empty() {
            return Some(Statement::Validates { constraints, table });
        }
        (drops && !adds).then_some(Statement::Drops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        match text.split_once('.') {
            Some((schema, name)) => Name { schema: Some(schema.to_owned()), name: name.to_owned() },
            None => Name { schema: None, name: text.to_owned() },
        }
    }

    #[test]
    fn it_is_known_what_a_statement_may_leave_behind() {
        let builds = |index: Option<&str>, table: &str| Statement::BuildsIndex {
            index: index.map(ToOwned::to_owned),
            table: name(table),
        };
        let validates = |constraints: &[&str], table: &str| Statement::Validates {
            constraints: constraints.iter().map(|name| (*name).to_owned()).collect(),
            table: name(table),
        };
        for (sql, expected) in [
            ("CREATE INDEX CONCURRENTLY t_a ON t (a)", builds(Some("t_a"), "t")),
            (
                "create unique index concurrently if not exists \"T_a\" on only s.\"T\" (a)",
                builds(Some("T_a"), "s.T"),
            ),
            ("CREATE INDEX CONCURRENTLY ON db.s.t (a)", builds(None, "s.t")),
            ("CREATE INDEX CONCURRENTLY IF NOT EXISTS \"on\" ON t (a)", builds(Some("on"), "t")),
            ("CREATE INDEX t_a ON t (a)", Statement::Other),
            ("-- CREATE INDEX CONCURRENTLY ON t\nSELECT 'CREATE INDEX CONCURRENTLY ON t'", Statement::Other),
            ("DROP INDEX CONCURRENTLY t_a", Statement::DropsIndexes(vec![name("t_a")])),
            (
                "DROP INDEX CONCURRENTLY IF EXISTS s.t_a, t_b CASCADE",
                Statement::DropsIndexes(vec![name("s.t_a"), name("t_b")]),
            ),
            ("DROP INDEX t_a", Statement::Drops),
            ("REINDEX INDEX CONCURRENTLY t_a", Statement::RebuildsIndex(name("t_a"))),
            ("REINDEX (VERBOSE, CONCURRENTLY) INDEX s.t_a", Statement::RebuildsIndex(name("s.t_a"))),
            ("REINDEX TABLE CONCURRENTLY t", Statement::RebuildsIndexesOf(name("t"))),
            ("REINDEX DATABASE CONCURRENTLY d", Statement::Tends),
            ("REINDEX TABLE t", Statement::Other),
            ("VACUUM (ANALYZE) t", Statement::Tends),
            ("VACUUM FULL t", Statement::Other),
            ("ALTER TABLE t VALIDATE CONSTRAINT \"Positive\"", validates(&["Positive"], "t")),
            (
                "ALTER TABLE IF EXISTS ONLY s.t VALIDATE CONSTRAINT a, VALIDATE CONSTRAINT b",
                validates(&["a", "b"], "s.t"),
            ),
            ("ALTER TABLE t ADD CONSTRAINT a CHECK (b > 0) NOT VALID", Statement::Other),
            ("ALTER TABLE t DROP COLUMN a", Statement::Drops),
            ("ALTER TABLE t DROP COLUMN a, ADD COLUMN b int", Statement::Other),
            ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", Statement::Other),
            ("CREATE INDEX CONCURRENTLY", Statement::Other),
            ("ALTER TABLE", Statement::Other),
        ] {
            assert_eq!(Statement::all_of(sql), [expected], "{sql}");
        }
    }
}
