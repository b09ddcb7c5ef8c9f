//! Puts a query into words that the grammar knows.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::duration::{Bracket, begins_duration, bracket, offset};
use super::token::{Token, TokenKind};
use crate::promql::ast::{Boundary, DurationExpr};
use crate::promql::{Position, QueryError};

/// A query in words that the grammar knows, and what these words stand for, by the place of the first one.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) brackets: HashMap<usize, Bracket>,
    /// Durations of offsets, each with the word behind it.
    pub(super) offsets: HashMap<usize, (DurationExpr, usize)>,
    pub(super) boundaries: HashMap<usize, Boundary>,
}

/// Any duration, for only its place counts: what it stands for is kept aside.
const SOME_DURATION: &str = "1m";
/// Milliseconds since 1970 must fit 64 bits.
const AT_SECONDS_MAX: f64 = 9_223_372_036_854_775.0;

/// Puts a query into words that the grammar knows.
pub(super) fn rewrite(text: &str, tokens: &[Token]) -> Result<Words, QueryError> {
    let mut words = Words::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let behind_operand =
            at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(Token::ends_operand);
        let mut next = at + 1;
        match &token.kind {
            TokenKind::Sign("[") => {
                let bracket = bracket(text, tokens, at)?;
                next = bracket.end;
                words.text.push_str(match &bracket.step {
                    None => "[1m]",
                    Some(None) => "[1m:]",
                    Some(Some(_)) => "[1m:1m]",
                });
                words.brackets.insert(at, bracket);
            }
            TokenKind::Sign("@") => {
                words.text.push('@');
                check_time(text, tokens, at)?;
            }
            TokenKind::Sign("</") => words.text.push('<'),
            TokenKind::Sign(">/") => words.text.push('>'),
            TokenKind::Sign(sign) => words.text.push_str(sign),
            TokenKind::Number(number) => push_number(&mut words.text, *number),
            TokenKind::Duration(millis) => {
                #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 milliseconds")]
                push_number(&mut words.text, *millis as f64 / 1000.0);
            }
            TokenKind::Text(bytes) if std::str::from_utf8(bytes).is_err() => words.text.push_str("\"s\""),
            TokenKind::Text(_) => words.text.push_str(token.span.of(text)),
            TokenKind::Name(name) => match boundary(name) {
                Some(boundary) if behind_operand => {
                    words.boundaries.insert(at, boundary);
                }
                _ if behind_operand && is_offset(tokens, at) => {
                    let (duration, end) = offset(text, tokens, next)?;
                    next = end;
                    words.offsets.insert(at, (duration, end));
                    let _ = write!(words.text, "offset {SOME_DURATION}");
                }
                _ => words.text.push_str(name),
            },
        }
        words.text.push(' ');
        at = next;
    }
    Ok(words)
}

fn boundary(name: &str) -> Option<Boundary> {
    match name.to_ascii_lowercase().as_str() {
        "anchored" => Some(Boundary::Anchored),
        "smoothed" => Some(Boundary::Smoothed),
        _ => None,
    }
}

fn is_offset(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.is_word("offset"))
        && tokens.get(at + 1).is_some_and(begins_duration)
}

/// A literal that the grammar takes for a number whatever its size; its value is read from the word itself.
fn push_number(text: &mut String, number: f64) {
    if number.is_finite() {
        let _ = write!(text, "{number}");
    } else {
        text.push_str(if number.is_nan() { "NaN" } else { "Inf" });
    }
}

fn check_time(text: &str, tokens: &[Token], at: usize) -> Result<(), QueryError> {
    let number = tokens.iter().skip(at + 1).take(2).find_map(|token| match &token.kind {
        TokenKind::Number(number) => Some((*number, token.span.start)),
        _ => None,
    });
    match number {
        Some((number, offset)) if !number.is_finite() || number.abs() >= AT_SECONDS_MAX => {
            Err(QueryError::syntax(format!("timestamp out of bounds for @ modifier: {number}"))
                .at(Position::in_text(text, offset)))
        }
        _ => Ok(()),
    }
}
