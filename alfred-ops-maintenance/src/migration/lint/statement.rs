//! One statement of a migration.

use std::iter::Peekable;

use squawk_syntax::SyntaxToken;
use squawk_syntax::ast::{AstNode, Stmt};

/// Words between a keyword and a name.
const FILLERS: [&str; 6] = ["if", "not", "exists", "only", "table", "concurrently"];

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
        let tokens: Vec<_> = tokens(statement).collect();
        let range =
            |token: &SyntaxToken| (token.text_range().start().into(), token.text_range().end().into());
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
            "reindex" if self.has("table") => &["table"],
            "vacuum" => {
                let name = self.words.iter().map(String::as_str).rfind(|word| !matches!(*word, ";" | ")"))?;
                let is_one_of_several = self.has(",");
                return Some(NamedTable { schema: None, name, is_one_of_several });
            }
            "cluster" => &["cluster"],
            _ => return None,
        };
        let place = self.words.windows(behind.len()).position(|own| own == behind)? + behind.len();
        let mut rest = self.names_from(place);
        let (schema, name) = next_name(&mut rest)?;
        let takes_several = matches!(behind, ["drop", "table"] | ["truncate"] | ["lock"]);
        let is_one_of_several = takes_several && rest.any(|word| word == ",");
        Some(NamedTable { schema, name, is_one_of_several })
    }

    /// The indexes that it drops or builds anew by their names, without their schemas.
    pub(super) fn indexes(&self) -> Vec<&str> {
        let place =
            self.place_behind("index").filter(|_| self.begins("drop index") || self.begins("reindex"));
        let mut names = Vec::new();
        let Some(place) = place else { return names };
        let mut rest = self.names_from(place);
        while let Some((_, name)) = next_name(&mut rest) {
            names.push(name);
            if rest.next_if_eq(&",").is_none() {
                break;
            }
        }
        names
    }

    /// The domain that it creates or alters, without its schema.
    pub(super) fn domain(&self) -> Option<&str> {
        let is_of_one = self.begins("create domain") || self.begins("alter domain");
        is_of_one.then(|| next_name(&mut self.names_from(2)))?.map(|(_, name)| name)
    }

    /// Whether it leaves out what hangs on the table.
    pub(super) fn is_of_one_alone(&self) -> bool {
        ["on only", "alter table only", "alter table if exists only"].into_iter().any(|words| self.has(words))
    }

    fn names_from(&self, place: usize) -> Peekable<impl Iterator<Item = &str>> {
        let words = self.words.iter().skip(place).map(String::as_str);
        words.skip_while(|word| FILLERS.contains(word)).peekable()
    }
}

/// A schema, where there is one, and a name.
fn next_name<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>) -> Option<(Option<&'a str>, &'a str)> {
    let (mut schema, mut name) = (None, words.next()?);
    while words.next_if_eq(&".").is_some() {
        (schema, name) = (Some(name), words.next()?);
    }
    Some((schema, name))
}

/// The words of a part of a statement.
pub(super) fn words(part: &impl AstNode) -> Vec<String> {
    tokens(part).map(|token| word(token.text())).collect()
}

fn tokens(part: &impl AstNode) -> impl Iterator<Item = SyntaxToken> {
    let tokens = part.syntax().descendants_with_tokens().filter_map(|element| element.into_token());
    tokens.filter(|token| !token.kind().is_trivia())
}

fn word(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None if text.starts_with('\'') || text.starts_with('$') => text.to_owned(),
        None => text.to_lowercase(),
    }
}
