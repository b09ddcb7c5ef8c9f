//! A query prepared for evaluation.

use std::sync::Arc;

use super::selections::{Selection, Selections};
use super::table::{GroupMemo, Interner, MatchMemo, RowMemo};
use crate::promql::Span;
use crate::promql::ast::{
    AggregateOp, BinaryOp, Boundary, DurationExpr, Function, Grouping, Matcher, Matching, Node, NodeKind,
    Selector, TimeShift,
};

/// An expression with what its evaluations have worked out about labels.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where it stands, with the parentheses around it.
    pub(super) span: Span,
    /// Where it stands without them: what it tells of itself belongs there.
    pub(super) bare_span: Span,
    pub(super) kind: PlanKind,
}

#[derive(Debug)]
pub(super) enum PlanKind {
    Number(f64),
    Text(Arc<[u8]>),
    Selector(SelectorPlan),
    /// A range without a function around it: the answer of an instant query only.
    Matrix(Box<MatrixPlan>),
    Negate(Box<Plan>),
    Binary(Box<BinaryPlan>),
    Aggregate(Box<AggregatePlan>),
    /// A function over ranges.
    Window(Box<WindowPlan>),
    /// A function over what expressions come to.
    Call(Box<CallPlan>),
}

#[derive(Debug)]
pub(super) struct SelectorPlan {
    pub(super) selection: Arc<Selection>,
    pub(super) shift: TimeShift,
    pub(super) boundary: Boundary,
}

#[derive(Debug)]
pub(super) enum MatrixPlan {
    Range { selector: SelectorPlan, range: DurationExpr },
    Subquery { of: Plan, range: DurationExpr, step: Option<DurationExpr>, shift: TimeShift, rows: Interner },
}

#[derive(Debug)]
pub(super) struct BinaryPlan {
    pub(super) op: BinaryOp,
    pub(super) returns_bool: bool,
    pub(super) matching: Matching,
    pub(super) left: Plan,
    pub(super) right: Plan,
    pub(super) matches: MatchMemo,
    pub(super) results: RowMemo,
    pub(super) rows: Interner,
}

#[derive(Debug)]
pub(super) struct AggregatePlan {
    pub(super) op: AggregateOp,
    pub(super) grouping: Grouping,
    pub(super) parameter: Option<Plan>,
    pub(super) of: Plan,
    pub(super) groups: GroupMemo,
    pub(super) rows: Interner,
}

#[derive(Debug)]
pub(super) struct WindowPlan {
    pub(super) function: Function,
    pub(super) matrix: MatrixPlan,
    /// Where the range stands, for annotations.
    pub(super) matrix_span: Span,
    pub(super) arguments: Vec<Plan>,
}

#[derive(Debug)]
pub(super) struct CallPlan {
    pub(super) function: Function,
    pub(super) arguments: Vec<Plan>,
    pub(super) names: RowMemo,
    pub(super) groups: GroupMemo,
    pub(super) rows: Interner,
}

impl Plan {
    pub(super) fn new(node: &Node, selections: &Selections) -> Self {
        let kind = match &node.kind {
            NodeKind::Number(number) => PlanKind::Number(*number),
            NodeKind::Text(text) => PlanKind::Text(text.as_slice().into()),
            NodeKind::Selector(selector) => PlanKind::Selector(SelectorPlan::new(selector, selections)),
            NodeKind::Range { .. } | NodeKind::Subquery { .. } => {
                // A node of these kinds always makes one.
                MatrixPlan::new(node, selections)
                    .map_or(PlanKind::Number(f64::NAN), |matrix| PlanKind::Matrix(Box::new(matrix)))
            }
            NodeKind::Paren(of) => return Self { span: node.span, ..Self::new(of, selections) },
            NodeKind::Negate(of) => PlanKind::Negate(Box::new(Self::new(of, selections))),
            NodeKind::Binary { op, returns_bool, matching, left, right } => {
                PlanKind::Binary(Box::new(BinaryPlan {
                    op: *op,
                    returns_bool: *returns_bool,
                    matching: matching.clone(),
                    left: Self::new(left, selections),
                    right: Self::new(right, selections),
                    matches: MatchMemo::default(),
                    results: RowMemo::default(),
                    rows: Interner::default(),
                }))
            }
            NodeKind::Aggregate { op, grouping, parameter, of } => {
                PlanKind::Aggregate(Box::new(AggregatePlan {
                    op: *op,
                    grouping: grouping.clone(),
                    parameter: parameter.as_deref().map(|parameter| Self::new(parameter, selections)),
                    of: Self::new(of, selections),
                    groups: GroupMemo::default(),
                    rows: Interner::default(),
                }))
            }
            NodeKind::Call { function, arguments } => Self::call(*function, arguments, selections),
        };
        Self { span: node.span, bare_span: node.span, kind }
    }

    fn call(function: Function, arguments: &[Node], selections: &Selections) -> PlanKind {
        let range = arguments.iter().enumerate().find_map(|(index, argument)| {
            MatrixPlan::new(argument.bare(), selections).map(|matrix| (index, argument.bare().span, matrix))
        });
        let others = |skipped: Option<usize>| {
            let kept = arguments.iter().enumerate().filter(|(index, _)| Some(*index) != skipped);
            kept.map(|(_, argument)| Self::new(argument, selections)).collect()
        };
        match range {
            Some((index, matrix_span, matrix)) => PlanKind::Window(Box::new(WindowPlan {
                function,
                matrix,
                matrix_span,
                arguments: others(Some(index)),
            })),
            None => PlanKind::Call(Box::new(CallPlan {
                function,
                arguments: others(None),
                names: RowMemo::default(),
                groups: GroupMemo::default(),
                rows: Interner::default(),
            })),
        }
    }
}

impl SelectorPlan {
    fn new(selector: &Selector, selections: &Selections) -> Self {
        Self {
            selection: selections.share(&selector.matchers),
            shift: selector.shift.clone(),
            boundary: selector.boundary,
        }
    }
}

impl MatrixPlan {
    fn new(node: &Node, selections: &Selections) -> Option<Self> {
        Some(match &node.kind {
            NodeKind::Range { selector, range } => {
                Self::Range { selector: SelectorPlan::new(selector, selections), range: range.clone() }
            }
            NodeKind::Subquery { of, range, step, shift } => Self::Subquery {
                of: Plan::new(of, selections),
                range: range.clone(),
                step: step.clone(),
                shift: shift.clone(),
                rows: Interner::default(),
            },
            _ => return None,
        })
    }

    pub(super) const fn boundary(&self) -> Boundary {
        match self {
            Self::Range { selector, .. } => selector.boundary,
            Self::Subquery { .. } => Boundary::Plain,
        }
    }

    pub(super) fn matchers(&self) -> Option<&[Matcher]> {
        match self {
            Self::Range { selector, .. } => Some(&selector.selection.matchers),
            Self::Subquery { .. } => None,
        }
    }
}
