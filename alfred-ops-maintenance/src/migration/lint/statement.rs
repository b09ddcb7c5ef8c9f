//! One statement of a migration.

use squawk_syntax::ast::{AstNode as _, Stmt};

/// One statement, as words: names and keywords in lower case, what is quoted as it stands without its quotes.
#[derive(Debug)]
pub(super) struct Statement {
    /// Where it begins and ends, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    words: Vec<String>,
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
        Self { start, end, words }
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

    /// The word behind these, if they stand in it.
    pub(super) fn behind(&self, words: &str) -> Option<&str> {
        self.words.get(self.place_behind(words)?).map(String::as_str)
    }

    /// The words behind these up to one of `ends`, with spaces between them.
    pub(super) fn text_behind(&self, words: &str, ends: &[&str]) -> Option<String> {
        let rest = self.words.iter().skip(self.place_behind(words)?).map(String::as_str);
        Some(rest.take_while(|word| !ends.contains(word)).collect::<Vec<_>>().join(" "))
    }

    /// The place behind these words, where they first stand in it one behind the other.
    fn place_behind(&self, words: &str) -> Option<usize> {
        let words: Vec<&str> = words.split(' ').collect();
        let place = self.words.windows(words.len()).position(|own| own == words)?;
        Some(place + words.len())
    }

    /// The table that it changes, without its schema.
    pub(super) fn table(&self) -> Option<&str> {
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
                return self.words.iter().map(String::as_str).rfind(|word| !matches!(*word, ";" | ")"));
            }
            "cluster" => &["cluster"],
            _ => return None,
        };
        let place = self.words.windows(behind.len()).position(|own| own == behind)? + behind.len();
        const FILLERS: [&str; 6] = ["if", "not", "exists", "only", "table", "concurrently"];
        let mut rest =
            self.words.iter().skip(place).map(String::as_str).skip_while(|word| FILLERS.contains(word));
        let first = rest.next()?;
        match rest.next() {
            Some(".") => rest.next(),
            _ => Some(first),
        }
    }
}

fn word(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None if text.starts_with('\'') || text.starts_with('$') => text.to_owned(),
        None => text.to_lowercase(),
    }
}
