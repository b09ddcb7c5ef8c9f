//! What stands in quotes.

use std::sync::Arc;

use super::parse::{Body, Branch, Command, Node, Operand, OperandKind, Pipeline};
use super::{Template, Value};

impl Template {
    /// The texts in quotes within its actions, those of templates that it defines included.
    pub(crate) fn literals(&self) -> Vec<Arc<str>> {
        let mut found = Vec::new();
        for body in std::iter::once(&self.body).chain(self.defined.values()) {
            of_body(body, &mut found);
        }
        found
    }
}

fn of_body(body: &Body, found: &mut Vec<Arc<str>>) {
    for node in body.iter() {
        match node {
            Node::Action(pipeline) | Node::Template { argument: Some(pipeline), .. } => {
                of_pipeline(pipeline, found);
            }
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => of_branch(branch, found),
            Node::Text(_) | Node::Template { argument: None, .. } | Node::Break | Node::Continue => {}
        }
    }
}

fn of_branch(branch: &Branch, found: &mut Vec<Arc<str>>) {
    of_pipeline(&branch.pipeline, found);
    for body in std::iter::once(&branch.body).chain(&branch.otherwise) {
        of_body(body, found);
    }
}

fn of_pipeline(pipeline: &Pipeline, found: &mut Vec<Arc<str>>) {
    for Command { first, arguments } in &pipeline.commands {
        std::iter::once(first).chain(arguments).for_each(|operand| of_operand(operand, found));
    }
}

fn of_operand(operand: &Operand, found: &mut Vec<Arc<str>>) {
    match &operand.kind {
        OperandKind::Literal(Value::Text(text)) => found.push(Arc::clone(text)),
        OperandKind::Pipeline(pipeline) => of_pipeline(pipeline, found),
        OperandKind::Chain { of, .. } => of_operand(of, found),
        _ => {}
    }
}
