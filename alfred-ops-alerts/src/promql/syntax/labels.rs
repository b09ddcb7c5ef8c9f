//! The labels of one series.

use alfred_ops_core::Labels;

use super::lexer::tokens;
use super::token::{Token, TokenKind};
use crate::promql::{Position, QueryError};

/// Reads `name{a="b"}`, `{a="b"}` or `{"name", "a"="b"}`.
pub(crate) fn read_labels(text: &str) -> Result<Labels, QueryError> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let fail = |rest: &[Token]| {
        let offset = rest.first().map_or(text.len(), |token| token.span.start);
        QueryError::syntax(format!("{text:?} is not a series such as name{{label=\"value\"}}"))
            .at(Position::in_text(text, offset))
    };
    if let [token, after @ ..] = rest
        && !token.is_sign("{")
    {
        pairs.push((Labels::NAME.to_owned(), name(token, text).ok_or_else(|| fail(rest))?));
        rest = after;
    }
    if let [open, after @ ..] = rest {
        if !open.is_sign("{") {
            return Err(fail(rest));
        }
        rest = after;
        loop {
            match rest {
                [close] if close.is_sign("}") => break,
                [label, equal, Token { kind: TokenKind::Text(value), .. }, after @ ..]
                    if equal.is_sign("=") =>
                {
                    let value = String::from_utf8_lossy(value).into_owned();
                    pairs.push((name(label, text).ok_or_else(|| fail(rest))?, value));
                    rest = after;
                }
                [Token { kind: TokenKind::Text(name), .. }, after @ ..] => {
                    pairs.push((Labels::NAME.to_owned(), String::from_utf8_lossy(name).into_owned()));
                    rest = after;
                }
                _ => return Err(fail(rest)),
            }
            match rest {
                [comma, after @ ..] if comma.is_sign(",") => rest = after,
                [close] if close.is_sign("}") => {}
                _ => return Err(fail(rest)),
            }
        }
    }
    Ok(Labels::from_pairs(pairs))
}

fn name(token: &Token, text: &str) -> Option<String> {
    match &token.kind {
        TokenKind::Name(name) => Some(name.clone()),
        TokenKind::Text(name) => String::from_utf8(name.clone()).ok(),
        // `inf` and `nan` are numbers in a query and names here.
        TokenKind::Number(_) => {
            let word = token.span.of(text);
            word.chars().all(|c| c.is_ascii_alphabetic()).then(|| word.to_owned())
        }
        _ => None,
    }
}
