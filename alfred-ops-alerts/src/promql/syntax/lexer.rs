//! Splits a query into words.

use super::token::{Token, TokenKind};
use super::unquote::unquote;
use crate::promql::{Position, QueryError, Span, parse_duration};

/// Operators and brackets, longer ones before their beginnings.
const SIGNS: [&str; 30] = [
    "=~", "!~", "==", "!=", "<=", ">=", "</", ">/", "+", "-", "*", "/", "%", "^", "=", "<", ">", "(", ")",
    "{", "}", "[", "]", ",", ":", "@", "!", ";", "$", "~",
];
/// A query of more words is not what somebody wrote.
const TOKENS_MAX: usize = 100_000;

/// Splits a query into words, without comments.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, at: 0, brackets: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        if tokens.len() >= TOKENS_MAX {
            return Err(QueryError::limit(format!("the query has more than {TOKENS_MAX} words")));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Within `[…]` a colon is no part of a name.
    brackets: usize,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Result<Option<Token>, QueryError> {
        self.skip_blanks();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let kind = match first {
            '"' | '\'' | '`' => self.quoted(first)?,
            '0'..='9' => self.number()?,
            '.' if self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number()?,
            'a'..='z' | 'A'..='Z' | '_' => self.name(),
            ':' if self.brackets == 0 => self.name(),
            _ => self.sign(first)?,
        };
        Ok(Some(Token { kind, span: Span { start, end: self.at } }))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fail(&self, message: String) -> QueryError {
        QueryError::syntax(message).at(Position::in_text(self.text, self.at))
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn take_while(&mut self, mut belongs: impl FnMut(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn name(&mut self) -> TokenKind {
        let colons = self.brackets == 0;
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':'));
        match name.to_ascii_lowercase().as_str() {
            "inf" => TokenKind::Number(f64::INFINITY),
            "nan" => TokenKind::Number(f64::NAN),
            _ => TokenKind::Name(name.to_owned()),
        }
    }

    fn number(&mut self) -> Result<TokenKind, QueryError> {
        let start = self.at;
        let mut text = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
        let signed_exponent = !hexadecimal
            && text.ends_with(['e', 'E'])
            && matches!(self.rest().as_bytes(), [b'+' | b'-', digit, ..] if digit.is_ascii_digit());
        if signed_exponent {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit() || c == '_');
            text = self.text.get(start..self.at).unwrap_or_default();
        }
        if let Some(number) = parse_number(text) {
            return Ok(TokenKind::Number(number));
        }
        if let Some(millis) = parse_duration(text) {
            return Ok(TokenKind::Duration(millis));
        }
        self.at = start;
        Err(self.fail(format!("bad number or duration syntax: {text:?}")).with_hint(
            "write durations as 1h30m: units y, w, d, h, m, s, ms, each once and the largest first",
        ))
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, QueryError> {
        let body = self.rest().get(1..).unwrap_or_default();
        let mut escaped = false;
        let end = body.char_indices().find(|(_, c)| {
            let closes = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped && quote != '`';
            closes || (*c == '\n' && quote != '`')
        });
        let Some((end, _)) = end.filter(|(_, c)| *c == quote) else {
            return Err(self.fail("unterminated quoted string".to_owned()));
        };
        let inner = body.get(..end).unwrap_or_default();
        let text = match quote {
            '`' => inner.as_bytes().to_vec(),
            _ => unquote(inner, quote).ok_or_else(|| {
                self.fail("unknown escape sequence in a quoted string".to_owned())
                    .with_hint("write a backslash as \\\\, or the whole string between backquotes")
            })?,
        };
        self.at += end + 2;
        Ok(TokenKind::Text(text))
    }

    fn sign(&mut self, first: char) -> Result<TokenKind, QueryError> {
        let sign = SIGNS.into_iter().find(|sign| self.rest().starts_with(sign));
        let Some(sign) = sign else {
            return Err(self.fail(format!("unexpected character: {first:?}")));
        };
        match sign {
            "[" => self.brackets += 1,
            "]" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.at += sign.len();
        Ok(TokenKind::Sign(sign))
    }
}

/// A number as Prometheus reads it: decimal, hexadecimal `0x`, octal `0`; digits may be parted by `_`.
fn parse_number(text: &str) -> Option<f64> {
    let digits = without_separators(text)?;
    let lower = digits.to_ascii_lowercase();
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok();
    let integer = if let Some(digits) = lower.strip_prefix("0x") {
        return radix(digits, 16).map(as_float);
    } else {
        // As in Go, 0755 is octal and 08, which cannot be, is decimal.
        lower.strip_prefix('0').and_then(|digits| radix(digits, 8))
    };
    if let Some(integer) = integer {
        return Some(as_float(integer));
    }
    let decimal =
        lower.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'));
    if decimal { lower.parse().ok() } else { None }
}

#[expect(clippy::cast_precision_loss, reason = "a literal is a float whatever it looks like")]
const fn as_float(integer: u64) -> f64 {
    integer as f64
}

fn without_separators(text: &str) -> Option<String> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    Some(text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn numbers_and_durations_are_told_apart() {
        for (text, number) in [
            ("1e3", 1000.0),
            ("1E-2", 0.01),
            ("0x1f", 31.0),
            ("0755", 493.0),
            ("08", 8.0),
            (".5", 0.5),
            ("2.", 2.0),
            ("1_000", 1000.0),
            ("0", 0.0),
        ] {
            assert_eq!(kinds(text), [TokenKind::Number(number)], "{text}");
        }
        assert_eq!(kinds("1h30m"), [TokenKind::Duration(5_400_000)]);
        assert_eq!(kinds("5m+2").len(), 3);
        for text in ["0b11", "0o17"] {
            assert!(tokens(text).is_err(), "{text}");
        }
        assert!(tokens("5min").unwrap_err().hint().unwrap().contains("1h30m"));
    }

    #[test]
    fn colons_belong_to_names_outside_of_brackets_only() {
        assert_eq!(kinds("a:b[5m:step()]").len(), 8);
        assert_eq!(kinds("a # comment\n+ b").len(), 3);
    }

    #[test]
    fn positions_are_told() {
        let error = tokens("a\n  & b").unwrap_err();
        assert_eq!(error.to_string(), "2:3: unexpected character: '&'");
        assert_eq!(tokens("x{a=\"b}").unwrap_err().message(), "unterminated quoted string");
    }
}
