//! From text to words.

use crate::promql::Position;

use super::super::{TemplateError, Value};
use super::literal::{self, Number};
use super::token::{Token, TokenKind};

/// What counts as white space in actions, and is trimmed around them.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// All words of a template, the last of which is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut lexer = Lexer::new(text);
    lexer.outside()?;
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    place: usize,
    /// Where lines begin.
    lines: Vec<usize>,
    tokens: Vec<Token>,
}

impl<'t> Lexer<'t> {
    fn new(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect();
        Self { text, place: 0, lines, tokens: Vec::new() }
    }

    fn position(&self, place: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= place);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        Position { line, column: place - start + 1 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.place..]
    }

    fn push(&mut self, kind: TokenKind, start: usize, spaced: bool) {
        let at = self.position(start);
        self.tokens.push(Token { kind, at, spaced });
    }

    fn error(&self, place: usize, message: impl Into<String>) -> TemplateError {
        TemplateError::syntax(message, self.position(place))
    }

    /// Text, and the actions in it.
    fn outside(&mut self) -> Result<(), TemplateError> {
        let mut trim_start = false;
        loop {
            let start = self.place;
            let rest = self.rest();
            let found = rest.find(OPEN);
            let mut text = &rest[..found.unwrap_or(rest.len())];
            if trim_start {
                text = text.trim_start_matches(SPACE);
            }
            let Some(found) = found else {
                self.push_text(text, start);
                self.push(TokenKind::End, self.text.len(), false);
                return Ok(());
            };
            self.place += found;
            let opened = self.place;
            self.place += OPEN.len();
            if self.rest().strip_prefix('-').is_some_and(|after| after.starts_with(SPACE)) {
                text = text.trim_end_matches(SPACE);
                self.place += 1;
            }
            self.push_text(text, start);
            trim_start = if self.at_comment() { self.comment(opened)? } else { self.inside(opened)? };
        }
    }

    fn push_text(&mut self, text: &str, start: usize) {
        if !text.is_empty() {
            self.push(TokenKind::Text(text.to_owned()), start, false);
        }
    }

    /// Whether a comment follows, behind the space of a trim marker at most.
    fn at_comment(&self) -> bool {
        let marked = self.text[..self.place].ends_with('-');
        let rest = self.rest();
        let rest = if marked { rest.strip_prefix(SPACE).unwrap_or(rest) } else { rest };
        rest.starts_with("/*")
    }

    /// Skips a comment; whether the text behind it is to be trimmed.
    fn comment(&mut self, opened: usize) -> Result<bool, TemplateError> {
        let Some(end) = self.rest().find("*/") else {
            return Err(self.error(opened, "the comment is not closed").with_hint("end it with `*/}}`"));
        };
        self.place += end + 2;
        self.close().ok_or_else(|| {
            self.error(self.place, "a comment must fill its action")
                .with_hint("write `{{/* … */}}`, or `{{- /* … */ -}}` to trim")
        })
    }

    /// Goes behind the action's end, if it is here; whether it trims.
    fn close(&mut self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with(CLOSE) {
            self.place += CLOSE.len();
            return Some(false);
        }
        let marked = rest.strip_prefix(SPACE)?.strip_prefix('-')?;
        let after = marked.strip_prefix(CLOSE)?;
        self.place = self.text.len() - after.len();
        Some(true)
    }

    /// The words of an action; whether the text behind it is to be trimmed.
    fn inside(&mut self, opened: usize) -> Result<bool, TemplateError> {
        self.push(TokenKind::Open, opened, false);
        let mut spaced = false;
        loop {
            let start = self.place;
            if let Some(trims) = self.close() {
                self.push(TokenKind::Close, start, spaced);
                return Ok(trims);
            }
            let Some(first) = self.rest().chars().next() else {
                return Err(self.error(opened, "the action is not closed").with_hint("end it with `}}`"));
            };
            if SPACE.contains(&first) {
                self.place += 1;
                spaced = true;
                continue;
            }
            let kind = self.word(first)?;
            self.push(kind, start, spaced);
            spaced = false;
        }
    }

    fn word(&mut self, first: char) -> Result<TokenKind, TemplateError> {
        let start = self.place;
        let next = self.rest().chars().nth(1);
        let single = match first {
            '|' => Some(TokenKind::Pipe),
            '(' => Some(TokenKind::LeftParen),
            ')' => Some(TokenKind::RightParen),
            ',' => Some(TokenKind::Comma),
            '=' => Some(TokenKind::Assign),
            _ => None,
        };
        if let Some(kind) = single {
            self.place += 1;
            return Ok(kind);
        }
        match first {
            ':' if next == Some('=') => {
                self.place += 2;
                Ok(TokenKind::Declare)
            }
            '"' => self.quoted('"'),
            '\'' => self.quoted('\''),
            '`' => self.raw(),
            '.' if !next.is_some_and(|c| c.is_ascii_digit()) => {
                self.place += 1;
                let name = self.name();
                self.ends_word(start)?;
                Ok(if name.is_empty() { TokenKind::Dot } else { TokenKind::Field(name) })
            }
            '$' => {
                self.place += 1;
                let name = self.name();
                self.ends_word(start)?;
                Ok(TokenKind::Variable(format!("${name}")))
            }
            '+' | '-' | '.' | '0'..='9' => self.number(),
            c if c.is_alphanumeric() || c == '_' => {
                let name = self.name();
                self.ends_word(start)?;
                Ok(TokenKind::Word(name))
            }
            c => Err(self.error(start, format!("unexpected {c:?} in an action"))),
        }
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.place += end;
        rest[..end].to_owned()
    }

    /// A name must be followed by something that cannot be taken for a part of it.
    fn ends_word(&self, start: usize) -> Result<(), TemplateError> {
        let rest = self.rest();
        match rest.chars().next() {
            None => Ok(()),
            Some(_) if rest.starts_with(CLOSE) => Ok(()),
            Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | '(' | ')') => Ok(()),
            Some(c) => {
                let word = &self.text[start..self.place];
                Err(self.error(self.place, format!("unexpected {c:?} behind `{word}`")).with_hint(
                    "names are letters, digits and `_`; use `index` for others, and spaces between words",
                ))
            }
        }
    }

    fn number(&mut self) -> Result<TokenKind, TemplateError> {
        let start = self.place;
        let rest = self.rest();
        let hexadecimal = rest
            .trim_start_matches(['+', '-'])
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        let mut before = ' ';
        let end = rest
            .find(|c: char| {
                let signs_exponent = matches!(before, 'e' | 'E') && !hexadecimal;
                let belongs = c.is_alphanumeric()
                    || matches!(c, '_' | '.')
                    || (matches!(c, '+' | '-') && (before == ' ' || signs_exponent));
                before = c;
                !belongs
            })
            .unwrap_or(rest.len());
        self.place += end;
        match literal::number(&rest[..end]) {
            Ok(Number::Whole(value)) => Ok(TokenKind::Literal(Value::Int(value))),
            Ok(Number::Float(value)) => Ok(TokenKind::Literal(Value::Float(value))),
            Err(message) => Err(self.error(start, message)),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, TemplateError> {
        let start = self.place;
        let inner_and_rest = &self.text[start + 1..];
        let mut escaped = false;
        let end = inner_and_rest.find(|c: char| {
            let ends = c == '\n' || (c == quote && !escaped);
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end.filter(|end| inner_and_rest[*end..].starts_with(quote)) else {
            return Err(self
                .error(start, "the quoted text is not closed on its line")
                .with_hint("write `\\n` for a new line, or quote with back quotes"));
        };
        let inner = &inner_and_rest[..end];
        self.place = start + 1 + end + 1;
        let value = if quote == '"' {
            literal::unquote(inner, quote).map(Value::from)
        } else {
            literal::rune(inner).map(Value::Int)
        };
        value.map(TokenKind::Literal).ok_or_else(|| {
            let quoted = &self.text[start..self.place];
            self.error(start, format!("{quoted} is no valid literal")).with_hint(
                "escapes are those of Go; text goes in double quotes, a single character in single ones, and \
                 patterns with back slashes are easier in back quotes",
            )
        })
    }

    fn raw(&mut self) -> Result<TokenKind, TemplateError> {
        let start = self.place;
        let inner_and_rest = &self.text[start + 1..];
        let Some(end) = inner_and_rest.find('`') else {
            return Err(self.error(start, "the back quoted text is not closed"));
        };
        self.place = start + 1 + end + 1;
        Ok(TokenKind::Literal(Value::from(inner_and_rest[..end].replace('\r', ""))))
    }
}
