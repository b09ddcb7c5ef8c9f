//! The tree of a template.

use std::sync::Arc;

use crate::promql::Position;

use super::super::Value;
use super::super::functions::Function;

/// What stands between two tags that belong together, or the whole text.
pub(in crate::template) type Body = Arc<[Node]>;

#[derive(Debug, Clone)]
pub(in crate::template) enum Node {
    Text(Arc<str>),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    /// Renders another template over the pipeline's value, or over nil.
    Template {
        name: Arc<str>,
        argument: Option<Pipeline>,
        at: Position,
    },
    Break,
    Continue,
}

/// A pipeline with what happens if it is true, and if not.
#[derive(Debug, Clone)]
pub(in crate::template) struct Branch {
    pub(in crate::template) pipeline: Pipeline,
    pub(in crate::template) body: Body,
    pub(in crate::template) otherwise: Option<Body>,
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Debug, Clone)]
pub(in crate::template) struct Pipeline {
    pub(in crate::template) at: Position,
    /// The variables that get the value; two only in a `range`.
    pub(in crate::template) targets: Vec<Arc<str>>,
    /// Whether the variables exist already: `=` and not `:=`.
    pub(in crate::template) assigns: bool,
    /// At least one.
    pub(in crate::template) commands: Vec<Command>,
}

/// An operand with arguments.
#[derive(Debug, Clone)]
pub(in crate::template) struct Command {
    pub(in crate::template) first: Operand,
    pub(in crate::template) arguments: Vec<Operand>,
}

#[derive(Debug, Clone)]
pub(in crate::template) struct Operand {
    pub(in crate::template) at: Position,
    pub(in crate::template) kind: OperandKind,
}

#[derive(Debug, Clone)]
pub(in crate::template) enum OperandKind {
    Dot,
    Nil,
    Literal(Value),
    /// Fields of dot, at least one.
    Fields(Vec<Arc<str>>),
    Variable {
        name: Arc<str>,
        fields: Vec<Arc<str>>,
    },
    Function(&'static Function),
    Pipeline(Box<Pipeline>),
    /// Fields of something else, at least one.
    Chain {
        of: Box<Operand>,
        fields: Vec<Arc<str>>,
    },
}
