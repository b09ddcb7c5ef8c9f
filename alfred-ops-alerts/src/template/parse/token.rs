//! The words of a template.

use std::fmt;

use crate::promql::Position;

use super::super::Value;

/// A word of a template and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Position,
    /// Whether white space stands before it.
    pub(super) spaced: bool,
}

#[derive(Debug, Clone)]
pub(super) enum TokenKind {
    /// Text outside of actions, trimmed.
    Text(String),
    Open,
    Close,
    /// An identifier or keyword.
    Word(String),
    /// `.name`.
    Field(String),
    /// `$name`, with the dollar sign.
    Variable(String),
    Dot,
    Literal(Value),
    Pipe,
    LeftParen,
    RightParen,
    Declare,
    Assign,
    Comma,
    End,
}

/// As a message names it.
impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("text"),
            Self::Open => f.write_str("`{{`"),
            Self::Close => f.write_str("`}}`"),
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Field(name) => write!(f, "`.{name}`"),
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::Dot => f.write_str("`.`"),
            Self::Literal(Value::Text(text)) => write!(f, "{text:?}"),
            Self::Literal(value) => write!(f, "`{value}`"),
            Self::Pipe => f.write_str("`|`"),
            Self::LeftParen => f.write_str("`(`"),
            Self::RightParen => f.write_str("`)`"),
            Self::Declare => f.write_str("`:=`"),
            Self::Assign => f.write_str("`=`"),
            Self::Comma => f.write_str("`,`"),
            Self::End => f.write_str("the end of the text"),
        }
    }
}
