//! What is wrong with a query that is none, where, and how to write it instead.

use super::DEPTH_MAX;
use super::token::{Token, TokenKind};
use crate::promql::ast::{AggregateOp, Function};
use crate::promql::{Position, QueryError};

/// Names that differ in more letters are not taken for a slip.
const SLIP_LETTERS_MAX: usize = 3;

/// More operators than this are not what somebody wrote, and would exhaust the stack.
const OPERATORS_MAX: usize = 128;

fn is_operator(token: &Token) -> bool {
    const SIGNS: [&str; 14] = ["+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "</", ">/"];
    match &token.kind {
        TokenKind::Sign(sign) => SIGNS.contains(sign),
        _ => ["and", "or", "unless", "atan2"].iter().any(|word| token.is_word(word)),
    }
}

/// Refuses brackets that do not match, nesting without end, and an empty query.
pub(super) fn check(text: &str, tokens: &[Token]) -> Result<(), QueryError> {
    let fail =
        |offset: usize, message: String| QueryError::syntax(message).at(Position::in_text(text, offset));
    if tokens.is_empty() {
        return Err(fail(0, "no expression found in input".to_owned()));
    }
    let mut open: Vec<(&str, usize)> = Vec::new();
    for token in tokens {
        let TokenKind::Sign(sign) = token.kind else { continue };
        match sign {
            "(" | "[" | "{" => open.push((sign, token.span.start)),
            ")" | "]" | "}" => {
                let matching = match sign {
                    ")" => "(",
                    "]" => "[",
                    _ => "{",
                };
                match open.pop() {
                    Some((opened, _)) if opened == matching => {}
                    Some((opened, offset)) => {
                        let opened_at = Position::in_text(text, offset);
                        let message = format!("unexpected {sign:?}, {opened:?} at {opened_at} is still open");
                        return Err(fail(token.span.start, message));
                    }
                    None => {
                        return Err(fail(token.span.start, format!("unexpected {sign:?}, nothing is open")));
                    }
                }
            }
            _ => {}
        }
        if open.len() > DEPTH_MAX {
            return Err(fail(token.span.start, format!("brackets are nested more than {DEPTH_MAX} deep")));
        }
    }
    // Chains such as `----a` and `a^b^c…` nest without brackets.
    let longest_chain = tokens.chunk_by(|a, b| a.is_sign("-") && b.is_sign("-")).map(<[Token]>::len).max();
    if longest_chain.unwrap_or(0) > DEPTH_MAX {
        return Err(fail(0, format!("signs are nested more than {DEPTH_MAX} deep")));
    }
    // A chain of operators is a tree as deep as the chain is long.
    let operators = tokens.iter().filter(|token| is_operator(token)).count();
    if operators > OPERATORS_MAX {
        return Err(fail(0, format!("the query has more than {OPERATORS_MAX} operators")).with_hint(
            "match several values by a regular expression, or record parts of it by rules of their own",
        ));
    }
    match open.pop() {
        Some((sign, offset)) => Err(fail(offset, format!("{sign:?} is never closed"))),
        None => Ok(()),
    }
}

/// Says where and how a query is wrong that the grammar refused with `message`.
pub(super) fn explain(text: &str, tokens: &[Token], message: &str) -> QueryError {
    let fail =
        |offset: usize, message: String| QueryError::syntax(message).at(Position::in_text(text, offset));
    if let Some((index, name)) = unknown_function(tokens) {
        let error = fail(tokens[index].span.start, format!("unknown function with name {name:?}"));
        return match closest(name) {
            Some(known) => error.with_hint(format!("did you mean {known}?")),
            None => error,
        };
    }
    if let Some((offset, message, hint)) = first_break(text, tokens) {
        return fail(offset, message).with_hint(hint);
    }
    let message = message.trim();
    let known = !message.is_empty() && !message.contains("invalid promql query");
    let text_of_grammar = if known { message } else { "the expression is not valid PromQL" };
    fail(tokens.first().map_or(0, |token| token.span.start), text_of_grammar.to_owned())
}

fn unknown_function(tokens: &[Token]) -> Option<(usize, &str)> {
    const KEYWORDS: [&str; 13] = [
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "and",
        "or",
        "unless",
        "atan2",
        "bool",
        "fill",
        "offset",
    ];
    tokens.windows(2).enumerate().find_map(|(index, pair)| {
        let name = pair[0].word()?;
        let lower = name.to_ascii_lowercase();
        let known = Function::from_name(name).is_some()
            || AggregateOp::from_name(name).is_some()
            || KEYWORDS.contains(&lower.as_str())
            || matches!(lower.as_str(), "fill_left" | "fill_right" | "min" | "max");
        (pair[1].is_sign("(") && !known).then_some((index, name))
    })
}

/// The first place where two operands meet without an operator, or an operator lacks an operand.
fn first_break(text: &str, tokens: &[Token]) -> Option<(usize, String, String)> {
    let shown = |token: &Token| token.span.of(text).to_owned();
    let mut braces = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        braces += usize::from(token.is_sign("{"));
        braces = braces.saturating_sub(usize::from(token.is_sign("}")));
        let next = tokens.get(index + 1);
        let is_operator = matches!(
            token.kind,
            TokenKind::Sign(
                "+" | "-" | "*" | "/" | "%" | "^" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "</" | ">/"
            )
        );
        if token.is_sign("=") && braces == 0 {
            let hint = "compare with ==; = stands in label matchers only".to_owned();
            return Some((token.span.start, "unexpected \"=\" outside of label matchers".to_owned(), hint));
        }
        if is_operator && braces == 0 {
            match next {
                None => {
                    let message = format!("unexpected end of input after {:?}", shown(token));
                    return Some((text.len(), message, "the operator needs a right side".to_owned()));
                }
                Some(next)
                    if matches!(
                        next.kind,
                        TokenKind::Sign(")" | "]" | "," | "*" | "/" | "==" | "<" | ">")
                    ) =>
                {
                    let message = format!("unexpected {:?} after {:?}", shown(next), shown(token));
                    return Some((next.span.start, message, "the operator needs a right side".to_owned()));
                }
                Some(_) => {}
            }
        }
        let Some(next) = next else { continue };
        let operand_begins =
            matches!(next.kind, TokenKind::Number(_) | TokenKind::Duration(_) | TokenKind::Text(_))
                || (next.word().is_some() && next.ends_operand() && !is_modifier(next));
        if braces == 0 && token.ends_operand() && !is_modifier(token) && operand_begins {
            let message = format!("unexpected {:?} after {:?}", shown(next), shown(token));
            return Some((
                next.span.start,
                message,
                "an operator or a comma is missing between them".to_owned(),
            ));
        }
        if braces > 0 && token.is_sign("=") && !matches!(next.kind, TokenKind::Text(_)) {
            let message = format!("unexpected {:?} in label matching, expected string", shown(next));
            return Some((next.span.start, message, "put the value in quotes".to_owned()));
        }
    }
    None
}

fn is_modifier(token: &Token) -> bool {
    const WORDS: [&str; 6] = ["anchored", "smoothed", "fill_left", "fill_right", "start", "end"];
    WORDS.iter().any(|word| token.is_word(word))
}

/// The function or aggregation whose name is nearest to `name`.
fn closest(name: &str) -> Option<&'static str> {
    let functions = Function::all().map(Function::name);
    let aggregations =
        ["sum", "avg", "count", "min", "max", "topk", "bottomk", "quantile", "stddev", "count_values"];
    let nearest = functions.chain(aggregations).map(|known| (distance(name, known), known)).min()?;
    (nearest.0 <= SLIP_LETTERS_MAX.min(name.len() / 2)).then_some(nearest.1)
}

/// How many letters must be changed, added or removed to make one name of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
