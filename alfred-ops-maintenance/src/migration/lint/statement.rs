//! One statement of a migration.

use squawk_syntax::ast::{AstNode as _, Stmt};

/// One statement, as words: names and keywords in lower case, what is quoted as it stands without its quotes.
#[derive(Debug)]
pub(super) struct Statement {
    /// Where it begins and ends, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    words: Vec<String>,
    /// Where each word begins.
    places: Vec<usize>,
}

/// A table as a statement names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NamedTable<'a> {
    pub(super) schema: Option<&'a str>,
    pub(super) name: &'a str,
    /// Whether the statement names others behind it.
    pub(super) is_one_of_several: bool,
}

impl NamedTable<'_> {
    /// Whether both name the same. A name without a schema may be found in any, and is told from those with one.
    pub(super) fn is(&self, other: &NamedTable<'_>) -> bool {
        (self.schema, self.name) == (other.schema, other.name)
    }
}

impl Statement {
    pub(super) fn of(statement: &Stmt) -> Self {
        let tokens = statement.syntax().descendants_with_tokens().filter_map(|element| element.into_token());
        let tokens: Vec<_> = tokens.filter(|token| !token.kind().is_trivia()).collect();
        let range = |token: &squawk_syntax::SyntaxToken| {
            (token.text_range().start().into(), token.text_range().end().into())
        };
        let (start, end) = match (tokens.first().map(range), tokens.last().map(range)) {
            (Some((start, _)), Some((_, end))) => (start, end),
            _ => (0, 0),
        };
        let words = tokens.iter().map(|token| word(token.text())).collect();
        let places = tokens.iter().map(|token| token.text_range().start().into()).collect();
        Self { start, end, words, places }
    }

    /// Whether its words begin with these.
    pub(super) fn begins(&self, words: &str) -> bool {
        let mut own = self.words.iter();
        words.split(' ').all(|word| own.next().is_some_and(|own| own == word))
    }

    /// Whether these words stand in it, one behind the other.
    pub(super) fn has(&self, words: &str) -> bool {
        self.place_behind(words).is_some()
    }

    /// The change of a column's type that begins at this place, with `TYPE` or `SET DATA TYPE`: the column, and all words behind
    /// `TYPE` up to the next action, with spaces between them.
    pub(super) fn type_change_at(&self, at: usize) -> Option<(&str, String)> {
        let first = self.places.iter().position(|place| *place >= at)?;
        let column = self.words.get(first.checked_sub(1)?)?;
        let mut depth = 0_usize;
        let words = self.words.get(first..)?.iter().map(String::as_str);
        let to: Vec<&str> = words
            .skip_while(|word| *word != "type")
            .skip(1)
            .take_while(|word| {
                match *word {
                    "(" => depth += 1,
                    ")" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth > 0 || !matches!(*word, "," | ";")
            })
            .collect();
        Some((column, to.join(" ")))
    }

    /// Whether it makes a table that was not there before. With `IF NOT EXISTS` it may have been.
    pub(super) fn creates_a_table(&self) -> bool {
        const KINDS: [&str; 5] = ["global", "local", "temp", "temporary", "unlogged"];
        let mut words = self.words.iter().map(String::as_str);
        if words.next() != Some("create") {
            return false;
        }
        let mut words = words.skip_while(|word| KINDS.contains(word));
        words.next() == Some("table") && !self.has("table if not exists")
    }

    /// The place behind these words, where they first stand in it one behind the other.
    fn place_behind(&self, words: &str) -> Option<usize> {
        let words: Vec<&str> = words.split(' ').collect();
        let place = self.words.windows(words.len()).position(|own| own == words)?;
        Some(place + words.len())
    }

    /// The first table that it changes.
    pub(super) fn table(&self) -> Option<NamedTable<'_>> {
        let behind: &[&str] = match self.words.first()?.as_str() {
            "alter" if self.begins("alter table") => &["alter", "table"],
            "create" if self.has("table") && !self.has("index") => &["table"],
            "create" => &["on"],
            "update" => &["update"],
            "delete" => &["from"],
            "drop" if self.begins("drop table") => &["drop", "table"],
            "truncate" => &["truncate"],
            "lock" => &["lock"],
            "vacuum" => {
                let name = self.words.iter().map(String::as_str).rfind(|word| !matches!(*word, ";" | ")"))?;
                let is_one_of_several = self.has(",");
                return Some(NamedTable { schema: None, name, is_one_of_several });
            }
            "cluster" => &["cluster"],
            _ => return None,
        };
        let place = self.words.windows(behind.len()).position(|own| own == behind)? + behind.len();
        const FILLERS: [&str; 6] = ["if", "not", "exists", "only", "table", "concurrently"];
        let mut rest = self
            .words
            .iter()
            .skip(place)
            .map(String::as_str)
            .skip_while(|word| FILLERS.contains(word))
            .peekable();
        let (mut schema, mut name) = (None, rest.next()?);
        while rest.next_if_eq(&".").is_some() {
            (schema, name) = (Some(name), rest.next()?);
        }
        let takes_several = matches!(behind, ["drop", "table"] | ["truncate"] | ["lock"]);
        let is_one_of_several = takes_several && rest.any(|word| word == ",");
        Some(NamedTable { schema, name, is_one_of_several })
    }
}

fn word(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None if text.starts_with('\'') || text.starts_with('$') => text.to_owned(),
        None => text.to_lowercase(),
    }
}
