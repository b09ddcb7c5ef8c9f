//! A node of a query's tree.

use super::{AggregateOp, BinaryOp, DurationExpr, Function, Grouping, Matching, Selector, TimeShift};
use crate::promql::Span;

/// What kind of value an expression has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// A text.
    Text,
    /// One sample of each series.
    Vector,
    /// A range of samples of each series.
    Matrix,
}

impl ValueType {
    /// The name that Prometheus gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Text => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// An expression and where it stands in the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NodeKind {
    /// A number.
    Number(f64),
    /// A text, which need not be UTF-8.
    Text(Vec<u8>),
    /// The latest sample of each series.
    Selector(Selector),
    /// The samples of each series in a range of time.
    Range {
        /// Which series.
        selector: Selector,
        /// How long the range is.
        range: DurationExpr,
    },
    /// An expression evaluated at many times.
    Subquery {
        /// The expression.
        of: Box<Node>,
        /// Over how long.
        range: DurationExpr,
        /// How often; the evaluation interval if not given.
        step: Option<DurationExpr>,
        /// When.
        shift: TimeShift,
    },
    /// An expression in parentheses.
    Paren(Box<Node>),
    /// The opposite.
    Negate(Box<Node>),
    /// Two sides and an operator.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Whether a comparison yields 0 or 1 instead of choosing.
        returns_bool: bool,
        /// Which samples meet.
        matching: Matching,
        /// The left side.
        left: Box<Node>,
        /// The right side.
        right: Box<Node>,
    },
    /// Samples grouped.
    Aggregate {
        /// How a group becomes one.
        op: AggregateOp,
        /// By which labels.
        grouping: Grouping,
        /// The number or text of those that take one.
        parameter: Option<Box<Node>>,
        /// The samples.
        of: Box<Node>,
    },
    /// A function.
    Call {
        /// Which.
        function: Function,
        /// Of what.
        arguments: Vec<Node>,
    },
}

impl Node {
    /// What kind of value it has.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            NodeKind::Number(_) => ValueType::Scalar,
            NodeKind::Text(_) => ValueType::Text,
            NodeKind::Selector(_) | NodeKind::Aggregate { .. } => ValueType::Vector,
            NodeKind::Range { .. } | NodeKind::Subquery { .. } => ValueType::Matrix,
            NodeKind::Paren(of) | NodeKind::Negate(of) => of.value_type(),
            NodeKind::Binary { left, right, .. } => match (left.value_type(), right.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
            NodeKind::Call { function, .. } => function.returns(),
        }
    }

    /// The expression without the parentheses around it.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match &self.kind {
            NodeKind::Paren(of) => of.bare(),
            _ => self,
        }
    }

    /// The expressions directly within this one.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Selector(_) | NodeKind::Range { .. } => {
                Vec::new()
            }
            NodeKind::Subquery { of, .. } | NodeKind::Paren(of) | NodeKind::Negate(of) => vec![of],
            NodeKind::Binary { left, right, .. } => vec![left, right],
            NodeKind::Aggregate { parameter, of, .. } => {
                parameter.iter().map(|parameter| &**parameter).chain([&**of]).collect()
            }
            NodeKind::Call { arguments, .. } => arguments.iter().collect(),
        }
    }

    /// Calls `visit` for this expression and all within it, outer ones first.
    pub fn walk<'n>(&'n self, visit: &mut dyn FnMut(&'n Self)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}
