//! A function and how it is called.

use super::super::value::Overflow;
use super::super::{Environment, Value};
use super::Patterns;

/// Whose templates a text is written for: some functions are there, or behave, in one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Annotations and labels of Prometheus' alerting rules.
    #[default]
    Rule,
    /// Alertmanager's notifications.
    Notification,
}

impl Dialect {
    pub(super) const fn other(self) -> &'static str {
        match self {
            Self::Rule => "notification templates",
            Self::Notification => "templates of rules",
        }
    }
}

/// A function of templates.
#[derive(Debug)]
pub(in crate::template) struct Function {
    pub(in crate::template) name: &'static str,
    pub(in crate::template) arguments_min: usize,
    pub(in crate::template) arguments_max: usize,
    pub(in crate::template) call: Call,
    /// The steps that a call takes, besides those for the length of its texts.
    pub(in crate::template) steps: u64,
    /// `None`: in all.
    dialect: Option<Dialect>,
}

/// How a function runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::template) enum Call {
    /// Stops at the first argument that is false.
    And,
    /// Stops at the first argument that is true.
    Or,
    /// Renders another template.
    Template,
    Plain(fn(&Scope<'_>, &[Value]) -> Outcome),
}

/// What plain functions may know besides their arguments.
#[derive(Debug, Clone, Copy)]
pub(in crate::template) struct Scope<'s> {
    pub(in crate::template) environment: &'s Environment<'s>,
    /// The longest text that a function may make.
    pub(in crate::template) bytes_max: usize,
    pub(in crate::template) patterns: &'s Patterns,
}

pub(in crate::template) type Outcome = Result<Value, Failure>;

/// Why a function returns nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::template) enum Failure {
    Message(String),
    TooLong,
    TooManyPatterns(usize),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

impl From<Overflow> for Failure {
    fn from(Overflow: Overflow) -> Self {
        Self::TooLong
    }
}

impl Function {
    /// A function with so many arguments.
    pub(super) const fn exact(
        name: &'static str,
        arguments: usize,
        call: fn(&Scope<'_>, &[Value]) -> Outcome,
    ) -> Self {
        Self {
            name,
            arguments_min: arguments,
            arguments_max: arguments,
            call: Call::Plain(call),
            steps: 1,
            dialect: None,
        }
    }

    /// A function with at least so many arguments.
    pub(super) const fn variadic(
        name: &'static str,
        arguments_min: usize,
        call: fn(&Scope<'_>, &[Value]) -> Outcome,
    ) -> Self {
        Self {
            name,
            arguments_min,
            arguments_max: usize::MAX,
            call: Call::Plain(call),
            steps: 1,
            dialect: None,
        }
    }

    /// The function in this dialect only.
    pub(super) const fn only_in(self, dialect: Dialect) -> Self {
        Self { dialect: Some(dialect), ..self }
    }

    /// The function, when a call is so many times more work than a simple one.
    pub(super) const fn taking(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    pub(super) fn is_in(&self, dialect: Dialect) -> bool {
        self.dialect.is_none_or(|own| own == dialect)
    }

    /// Fails unless it can be called with so many arguments.
    pub(in crate::template) fn check_count(&self, count: usize) -> Result<(), String> {
        if (self.arguments_min..=self.arguments_max).contains(&count) {
            return Ok(());
        }
        let wanted = match (self.arguments_min, self.arguments_max) {
            (min, max) if min == max => min.to_string(),
            (min, usize::MAX) => format!("at least {min}"),
            (min, max) => format!("{min} to {max}"),
        };
        Err(format!("{} takes {wanted} arguments, not {count}", self.name))
    }
}

/// Those that the renderer runs itself.
pub(super) const CONTROL: &[Function] = &[
    Function {
        name: "and",
        arguments_min: 1,
        arguments_max: usize::MAX,
        call: Call::And,
        steps: 1,
        dialect: None,
    },
    Function {
        name: "or",
        arguments_min: 1,
        arguments_max: usize::MAX,
        call: Call::Or,
        steps: 1,
        dialect: None,
    },
    Function {
        name: "tmpl",
        arguments_min: 2,
        arguments_max: 2,
        call: Call::Template,
        steps: 1,
        dialect: Some(Dialect::Rule),
    },
];
