//! Durations that are computed: `[2 * step()]`, `offset -(1h / 2)`.

use super::token::{Token, TokenKind};
use crate::promql::ast::DurationExpr;
use crate::promql::{Position, QueryError};

/// What stands between `[` and `]`.
#[derive(Debug, Clone)]
pub(super) struct Bracket {
    pub(super) range: DurationExpr,
    /// What stands behind the colon of a subquery, if there is a colon.
    pub(super) step: Option<Option<DurationExpr>>,
    /// The word behind `]`.
    pub(super) end: usize,
}

/// Operators that bind at least as tightly as this level are read by it.
const ADDITIVE: u8 = 1;
const MULTIPLICATIVE: u8 = 2;
const UNARY: u8 = 3;
const POWER: u8 = 4;

/// Reads `[range]` or `[range:step]`, whose `[` is the word `start`.
pub(super) fn bracket(text: &str, tokens: &[Token], start: usize) -> Result<Bracket, QueryError> {
    let mut parser = Parser { text, tokens, at: start + 1 };
    if parser.is_sign("]") {
        return Err(parser.fail("missing duration in the brackets"));
    }
    let range = parser.expression(ADDITIVE)?;
    let mut step = None;
    if parser.take(":") {
        step = Some(if parser.is_sign("]") { None } else { Some(parser.expression(ADDITIVE)?) });
    }
    parser.expect("]")?;
    Ok(Bracket { range, step, end: parser.at })
}

/// Reads the duration of an offset, which begins with the word `start`; with the word behind it.
///
/// Without parentheses only one duration is read, for what follows may as well belong to the query.
pub(super) fn offset(
    text: &str,
    tokens: &[Token],
    start: usize,
) -> Result<(DurationExpr, usize), QueryError> {
    let mut parser = Parser { text, tokens, at: start };
    let negative = parser.take("-");
    if !negative {
        parser.take("+");
    }
    let duration = parser.operand()?;
    let duration = if negative { DurationExpr::Negate(Box::new(duration)) } else { duration };
    Ok((duration, parser.at))
}

/// Whether a duration can begin with this word.
pub(super) fn begins_duration(token: &Token) -> bool {
    match &token.kind {
        TokenKind::Number(_) | TokenKind::Duration(_) => true,
        TokenKind::Sign(sign) => matches!(*sign, "+" | "-" | "("),
        TokenKind::Name(name) => {
            ["step", "range", "min", "max"].iter().any(|word| name.eq_ignore_ascii_case(word))
        }
        TokenKind::Text(_) => false,
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
}

impl Parser<'_> {
    fn is_sign(&self, sign: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is_sign(sign))
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), QueryError> {
        if self.take(sign) { Ok(()) } else { Err(self.fail(&format!("expected {sign:?} in a duration"))) }
    }

    fn fail(&self, message: &str) -> QueryError {
        let offset = self.tokens.get(self.at).map_or(self.text.len(), |token| token.span.start);
        QueryError::syntax(message).at(Position::in_text(self.text, offset)).with_hint(
            "write a duration such as 5m or 1h30m, or compute one: 2 * 5m, step(), max(step(), 1m)",
        )
    }

    fn operator(&self) -> Option<(char, u8)> {
        let TokenKind::Sign(sign) = &self.tokens.get(self.at)?.kind else { return None };
        Some(match *sign {
            "+" => ('+', ADDITIVE),
            "-" => ('-', ADDITIVE),
            "*" => ('*', MULTIPLICATIVE),
            "/" => ('/', MULTIPLICATIVE),
            "%" => ('%', MULTIPLICATIVE),
            "^" => ('^', POWER),
            _ => return None,
        })
    }

    fn expression(&mut self, level: u8) -> Result<DurationExpr, QueryError> {
        let mut left = self.operand()?;
        while let Some((operator, binds)) = self.operator().filter(|(_, binds)| *binds >= level) {
            self.at += 1;
            // Powers are computed from the right.
            let right = self.expression(if binds == POWER { POWER } else { binds + 1 })?;
            left = DurationExpr::Combine { operator, left: Box::new(left), right: Box::new(right) };
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<DurationExpr, QueryError> {
        let token = self
            .tokens
            .get(self.at)
            .ok_or_else(|| self.fail("unexpected end of input, expected a duration"))?;
        match &token.kind {
            TokenKind::Number(seconds) => {
                self.at += 1;
                Ok(DurationExpr::Seconds(*seconds))
            }
            TokenKind::Duration(millis) => {
                self.at += 1;
                Ok(DurationExpr::millis(*millis))
            }
            TokenKind::Sign("+") => {
                self.at += 1;
                self.expression(UNARY)
            }
            TokenKind::Sign("-") => {
                self.at += 1;
                Ok(DurationExpr::Negate(Box::new(self.expression(UNARY)?)))
            }
            TokenKind::Sign("(") => {
                self.at += 1;
                let inner = self.expression(ADDITIVE)?;
                self.expect(")")?;
                Ok(inner)
            }
            TokenKind::Name(name) => self.function(&name.to_ascii_lowercase()),
            _ => Err(self.fail("expected a duration")),
        }
    }

    fn function(&mut self, name: &str) -> Result<DurationExpr, QueryError> {
        let operator = match name {
            "min" => Some('<'),
            "max" => Some('>'),
            "step" | "range" => None,
            _ => return Err(self.fail("expected a duration")),
        };
        self.at += 1;
        self.expect("(")?;
        let duration = match operator {
            None if name == "step" => DurationExpr::Step,
            None => DurationExpr::Range,
            Some(operator) => {
                let left = self.expression(ADDITIVE)?;
                self.expect(",")?;
                let right = self.expression(ADDITIVE)?;
                DurationExpr::Combine { operator, left: Box::new(left), right: Box::new(right) }
            }
        };
        self.expect(")")?;
        Ok(duration)
    }
}
