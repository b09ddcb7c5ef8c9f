//! What a statement asks of one table, read from its text. Pure.
//!
//! Not a parser of SQL: only statements that are plainly about one table, with columns compared to constants, are
//! understood, and of all others nothing is said.

/// Words that begin what comes after a condition.
const ENDS: [&str; 8] = ["group", "order", "limit", "returning", "for", "offset", "having", "window"];
/// Words after which more tables or other conditions come.
const BEYOND: [&str; 9] = ["join", "union", "intersect", "except", "using", "with", "or", "not", "exists"];
const AGGREGATES: [&str; 8] = ["count", "sum", "avg", "min", "max", "array_agg", "string_agg", "distinct"];

/// What a statement asks of one table: columns are as the catalog has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Predicates {
    /// The table, as the statement names it.
    table: Vec<String>,
    /// Columns that are equal to a constant, or one of several.
    pub(super) equal: Vec<String>,
    /// Columns that are greater or less than one.
    pub(super) ranged: Vec<String>,
    /// Whether many rows may have been read for one that is returned.
    pub(super) aggregates: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// An identifier or keyword, and whether it was quoted.
    Word(String, bool),
    Parameter,
    Sign(char),
}

impl Predicates {
    /// What the statement asks; none if it is not plainly about one table.
    pub(super) fn of(text: &str) -> Option<Self> {
        let tokens = tokens(text);
        let is = |token: &Token, word: &str| matches!(token, Token::Word(name, false) if name == word);
        let any = |words: &[&str]| tokens.iter().any(|token| words.iter().any(|word| is(token, word)));
        let selects = tokens.iter().filter(|token| is(token, "select")).count();
        if any(&BEYOND) || selects > 1 || tokens.first().is_some_and(|token| is(token, "insert")) {
            return None;
        }
        // Of two tables a condition may be about either: a second FROM, or one after UPDATE, brings another.
        // FOR UPDATE and FOR NO KEY UPDATE bring none.
        let begins = |place: usize, token: &Token| {
            let before = place.checked_sub(1).and_then(|before| tokens.get(before));
            let is_lock = before.is_some_and(|before| is(before, "for") || is(before, "key"));
            is(token, "from") || is(token, "update") && !is_lock
        };
        let mut tables = tokens.iter().enumerate().filter(|(place, token)| begins(*place, token));
        let (Some((from, _)), None) = (tables.next(), tables.next()) else { return None };
        let condition = tokens.iter().position(|token| is(token, "where"))?;
        let mut predicates = Self { aggregates: any(&AGGREGATES) || any(&["group"]), ..Self::default() };
        let mut rest = tokens.get(from + 1..condition)?.iter().peekable();
        loop {
            match rest.next()? {
                Token::Word(word, false) if word == "only" => {}
                Token::Word(word, _) => predicates.table.push(word.clone()),
                _ => return None,
            }
            match rest.peek() {
                Some(Token::Sign('.')) => drop(rest.next()),
                // A comma before SET or WHERE is another table's.
                Some(Token::Sign(',')) => return None,
                _ if predicates.table.is_empty() => {}
                _ => break,
            }
        }
        rest.next_if(|token| is(token, "as"));
        let mut qualifiers = predicates.table.clone();
        if let Some(Token::Word(alias, _)) = rest.peek().filter(|token| !is(token, "set")) {
            qualifiers.push(alias.clone());
        }
        if is(tokens.get(from)?, "from") && rest.any(|token| *token == Token::Sign(',')) {
            return None;
        }
        let end = tokens.iter().skip(condition).position(|token| ENDS.iter().any(|word| is(token, word)));
        let end = end.map_or(tokens.len(), |end| condition + end);
        let conditions = tokens.get(condition + 1..end)?;
        let is_foreign = |pair: &[Token]| matches!(pair, [Token::Word(name, _), Token::Sign('.')] if !qualifiers.contains(name));
        if conditions.windows(2).any(is_foreign) {
            return None;
        }
        predicates.take_conditions(conditions);
        Some(predicates)
    }

    /// Whether it is about a table of this name, as SQL has it.
    pub(super) fn is_about(&self, name: &str) -> bool {
        let parts = tokens(name).into_iter().filter_map(|token| match token {
            Token::Word(word, _) => Some(word),
            _ => None,
        });
        let parts: Vec<String> = parts.collect();
        !self.table.is_empty() && parts.ends_with(&self.table)
    }

    fn take_conditions(&mut self, tokens: &[Token]) {
        for (place, token) in tokens.iter().enumerate() {
            let Token::Word(column, _) = token else { continue };
            // What stands in a function is not the column.
            let is_bare = place < 2
                || !matches!(tokens.get(place - 2..place), Some([Token::Word(name, false), Token::Sign('(')])
                    if !["and", "where"].contains(&name.as_str()));
            let Some(after) = tokens.get(place + 1..).filter(|_| is_bare) else { continue };
            match after {
                [Token::Sign('='), Token::Parameter, ..]
                | [Token::Sign('='), Token::Word(_, false), Token::Sign('('), Token::Parameter, ..] => {
                    self.equal.push(column.clone());
                }
                [Token::Word(word, false), Token::Sign('('), Token::Parameter, ..] if word == "in" => {
                    self.equal.push(column.clone());
                }
                [Token::Sign('<' | '>'), Token::Parameter, ..]
                | [Token::Sign('<' | '>'), Token::Sign('='), Token::Parameter, ..] => {
                    self.ranged.push(column.clone());
                }
                [Token::Word(word, false), Token::Parameter, ..] if word == "between" => {
                    self.ranged.push(column.clone());
                }
                _ => {}
            }
        }
        for columns in [&mut self.equal, &mut self.ranged] {
            columns.sort();
            columns.dedup();
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        if first == '"' {
            let mut name = String::new();
            while let Some(next) = rest.next() {
                if next == '"' && rest.next_if_eq(&'"').is_none() {
                    break;
                }
                name.push(next);
            }
            tokens.push(Token::Word(name, true));
        } else if first == '$' || first.is_ascii_digit() {
            while rest.next_if(char::is_ascii_alphanumeric).is_some() {}
            tokens.push(Token::Parameter);
        } else if first == '\'' {
            while rest.next().is_some_and(|next| next != '\'') {}
            tokens.push(Token::Parameter);
        } else if first.is_alphabetic() || first == '_' {
            let mut word = first.to_lowercase().to_string();
            while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || matches!(next, '_' | '$')) {
                word.extend(next.to_lowercase());
            }
            tokens.push(Token::Word(word, false));
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, table: &str, equal: &[&str], ranged: &[&str]) {
        let predicates = Predicates::of(text).unwrap_or_default();
        assert_eq!(predicates.equal, equal, "{text}");
        assert_eq!(predicates.ranged, ranged, "{text}");
        assert_eq!(predicates.is_about(table), !table.is_empty(), "{text}: {predicates:?}");
    }

    #[test]
    fn conditions_on_one_table_are_read_and_all_else_is_left_alone() {
        check("SELECT * FROM t WHERE a = $1", "public.t", &["a"], &[]);
        check("SELECT b FROM app.t x WHERE x.a = $1 AND x.c IN ($2, $3) LIMIT $4", "app.t", &["a", "c"], &[]);
        check("UPDATE t SET b = $1 WHERE a = $2", "s.t", &["a"], &[]);
        check("SELECT b FROM t WHERE a = $1 FOR UPDATE", "s.t", &["a"], &[]);
        check("SELECT b FROM t WHERE a = $1 FOR NO KEY UPDATE SKIP LOCKED", "s.t", &["a"], &[]);
        check("UPDATE s.t AS x SET b = $1 WHERE x.a = $2 AND s.t.c = $3", "s.t", &["a", "c"], &[]);
        check("DELETE FROM ONLY \"T\" WHERE \"A b\" >= $1 ORDER BY c = $2", "s.\"T\"", &[], &["A b"]);
        check("SELECT 1 FROM t WHERE at BETWEEN $1 AND $2 AND a = ANY($3)", "t", &["a"], &["at"]);
        check("SELECT 1 FROM t WHERE lower(a) = $1", "t", &[], &[]);
        for beyond in [
            "SELECT 1 FROM t WHERE a = $1 OR b = $2",
            "SELECT 1 FROM t, u WHERE a = $1",
            "SELECT 1 FROM t x, u WHERE a = $1",
            "SELECT 1 FROM t JOIN u ON t.a = u.a WHERE a = $1",
            "SELECT 1 FROM t WHERE a = (SELECT $1)",
            "INSERT INTO t SELECT 1 FROM u WHERE a = $1",
            "SELECT 1 FROM t WHERE NOT a = $1",
            "SELECT 1 FROM f($1) WHERE a = $1",
            "SELECT 1 FROM (t) WHERE a = $1",
            "UPDATE t SET b = $2 FROM u WHERE t.id = u.id AND u.tenant_id = $1",
            "UPDATE t SET b = u.b FROM u WHERE tenant_id = $1",
            "SELECT 1 FROM t WHERE a = $1 AND u.b = $2",
            "SELECT 1 FROM t x WHERE x.a = $1 AND y.b = $2",
            "SELECT 1",
            "",
        ] {
            assert!(Predicates::of(beyond).is_none_or(|it| !it.is_about("t")), "{beyond}");
        }
        assert!(Predicates::of("SELECT count(*) FROM t WHERE a > $1").unwrap().aggregates);
        assert!(!Predicates::of("SELECT * FROM t WHERE a = $1").unwrap().is_about("s.other"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(SELECT|FROM|WHERE|[a-z(),.\"'$=<> 0-9é]|UPDATE| ){0,60}") {
            let _ = Predicates::of(&text);
        }
    }
}
