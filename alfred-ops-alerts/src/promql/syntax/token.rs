//! The words of a query.

use crate::promql::Span;

/// A word of a query and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Name(String),
    Number(f64),
    /// In milliseconds.
    Duration(i64),
    /// Unquoted; it need not be UTF-8.
    Text(Vec<u8>),
    /// An operator or a bracket.
    Sign(&'static str),
}

impl Token {
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.kind, TokenKind::Sign(own) if *own == sign)
    }

    /// Whether this is the keyword `word`, which may be written in capitals.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.word().is_some_and(|own| own.eq_ignore_ascii_case(word))
    }

    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Whether an operand can end here, so that what follows modifies it.
    pub(super) fn ends_operand(&self) -> bool {
        const NEVER: [&str; 11] = [
            "and",
            "or",
            "unless",
            "atan2",
            "bool",
            "on",
            "ignoring",
            "group_left",
            "group_right",
            "by",
            "without",
        ];
        match &self.kind {
            TokenKind::Name(name) => !NEVER.iter().any(|word| name.eq_ignore_ascii_case(word)),
            TokenKind::Sign(sign) => matches!(*sign, ")" | "]" | "}"),
            TokenKind::Number(_) | TokenKind::Duration(_) => true,
            TokenKind::Text(_) => false,
        }
    }
}
