//! The words of SQL text, without what the server does not read.

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A keyword or a name, in lower case as the server reads it.
    Plain(String),
    /// What stood in double quotes.
    Quoted(String),
    /// A text or a number, whatever it says.
    Literal,
    Symbol(char),
}

/// The statements of a text, each as its words: comments are left out, and what stands in texts is not looked into.
pub(super) fn statements(sql: &str) -> Vec<Vec<Word>> {
    let mut all = vec![Vec::new()];
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (word, behind) = next(rest, first);
        rest = behind;
        match word {
            Some(Word::Symbol(';')) => all.push(Vec::new()),
            Some(word) => {
                if let Some(last) = all.last_mut() {
                    last.push(word);
                }
            }
            None => {}
        }
    }
    all.retain(|statement| !statement.is_empty());
    all
}

/// The first word of a text that begins with `first`, if it is one, and what stands behind.
fn next(text: &str, first: char) -> (Option<Word>, &str) {
    let behind_first = text.get(first.len_utf8()..).unwrap_or_default();
    if let Some(comment) = text.strip_prefix("--") {
        return (None, comment.split_once('\n').map_or("", |(_, behind)| behind));
    }
    if let Some(comment) = text.strip_prefix("/*") {
        return (None, behind_comment(comment));
    }
    match first {
        '"' => {
            let (name, behind) = quoted(behind_first, '"', false);
            (Some(Word::Quoted(clipped(name))), behind)
        }
        '\'' => (Some(Word::Literal), quoted(behind_first, '\'', false).1),
        'e' | 'E' if behind_first.starts_with('\'') => {
            (Some(Word::Literal), quoted(behind_first.get(1..).unwrap_or_default(), '\'', true).1)
        }
        '$' => dollar_quoted(text)
            .map_or((Some(Word::Symbol('$')), behind_first), |behind| (Some(Word::Literal), behind)),
        first if first.is_ascii_digit() => {
            let end = text.find(|character| !is_of_name(character) && character != '.');
            (Some(Word::Literal), text.get(end.unwrap_or(text.len())..).unwrap_or_default())
        }
        first if is_of_name(first) => {
            let (name, behind) = text.split_at(text.find(|c| !is_of_name(c)).unwrap_or(text.len()));
            (Some(Word::Plain(clipped(name.to_lowercase()))), behind)
        }
        first if first.is_whitespace() => (None, behind_first),
        first => (Some(Word::Symbol(first)), behind_first),
    }
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

/// What stands up to the closing quote, of which two are one, and what is behind it.
fn quoted(text: &str, quote: char, has_escapes: bool) -> (String, &str) {
    let mut inner = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if has_escapes && character == '\\' {
            characters.next();
        } else if character != quote {
            inner.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            inner.push(quote);
        } else {
            return (inner, text.get(at + quote.len_utf8()..).unwrap_or_default());
        }
    }
    (inner, "")
}

/// What is behind a text that begins with `$tag$`, if it is one.
fn dollar_quoted(text: &str) -> Option<&str> {
    let (tag, behind) = text.get(1..)?.split_once('$')?;
    let is_tag = tag.chars().all(|character| character.is_alphanumeric() || character == '_')
        && !tag.starts_with(|character: char| character.is_ascii_digit());
    is_tag.then(|| behind.split_once(&format!("${tag}$")).map_or("", |(_, behind)| behind))
}

/// What is behind a comment whose beginning was read. Comments hold comments.
fn behind_comment(text: &str) -> &str {
    let (mut depth, mut rest) = (1_usize, text);
    while depth > 0 {
        let Some(at) = rest.find(['/', '*']) else { return "" };
        rest = rest.get(at..).unwrap_or_default();
        if let Some(behind) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, behind);
        } else if let Some(behind) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, behind);
        } else {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    rest
}

/// Names are cut behind 63 bytes, as the server does.
fn clipped(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(63));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_not_read() {
        let check = |sql: &str, expected: &[&str]| {
            let shown: Vec<String> = statements(sql)
                .iter()
                .map(|statement| {
                    let words = statement.iter().map(|word| match word {
                        Word::Plain(word) => word.clone(),
                        Word::Quoted(word) => format!("<{word}>"),
                        Word::Literal => "?".to_owned(),
                        Word::Symbol(symbol) => symbol.to_string(),
                    });
                    words.collect::<Vec<_>>().join(" ")
                })
                .collect();
            assert_eq!(shown, expected, "{sql}");
        };
        check("", &[]);
        check("-- DROP TABLE t;\n;;", &[]);
        check("DROP /* a; /* b */ c */ TABLE T;SELECT 1.5e3", &["drop table t", "select ?"]);
        check("SELECT 'it''s; --', E'\\'; x', \"A\"\"b;\"", &["select ? , ? , <A\"b;>"]);
        check("DO $$ BEGIN; END $$; DO $a_1$ $$; $a_1$;", &["do ?", "do ?"]);
        check("SELECT $1, a$b", &["select $ ? , a$b"]);
        // What does not end, ends with the text.
        check("SELECT 'a; b", &["select ?"]);
        check("SELECT $$ a;", &["select ?"]);
        check("SELECT /* a;", &["select"]);
        check(&format!("DROP TABLE {}", "ä".repeat(40)), &[&format!("drop table {}", "ä".repeat(31))]);
    }

    proptest::proptest! {
        #[test]
        fn every_text_has_words(sql in "[a-z$'\"/*; \\\\\\-\nä1E.]{0,60}") {
            let _ = statements(&sql);
        }
    }
}
