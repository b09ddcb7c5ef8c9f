//! Branches and loops.

use std::sync::Arc;

use crate::promql::Position;

use super::super::parse::{Branch, Node};
use super::super::{TemplateError, Value};
use super::renderer::{Flow, Renderer};

impl Renderer<'_> {
    /// Runs an if, with or range; its variables end with it.
    pub(super) fn branch(
        &mut self,
        node: &Node,
        branch: &Branch,
        dot: &Value,
    ) -> Result<Flow, TemplateError> {
        let scope = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let flow = match node {
            Node::Range(_) => self.range(branch, &value, dot),
            Node::With(_) if value.is_true() => self.body(&branch.body, &value),
            Node::If(_) if value.is_true() => self.body(&branch.body, dot),
            _ => self.otherwise(branch, dot),
        };
        self.variables.truncate(scope);
        flow
    }

    fn otherwise(&mut self, branch: &Branch, dot: &Value) -> Result<Flow, TemplateError> {
        branch.otherwise.as_ref().map_or(Ok(Flow::Next), |body| self.body(body, dot))
    }

    fn range(&mut self, branch: &Branch, value: &Value, dot: &Value) -> Result<Flow, TemplateError> {
        let at = branch.pipeline.at;
        let numbered = |(place, value): (usize, &Value)| (whole(place), value.clone());
        match value.contents() {
            Value::List(list) if !list.is_empty() => {
                let mut rounds = list.items().iter().enumerate().map(numbered);
                self.rounds(branch, &mut rounds)
            }
            Value::Map(map) if !map.is_empty() => {
                let mut rounds = map.iter().map(|(name, value)| (Value::from(name), value.clone()));
                self.rounds(branch, &mut rounds)
            }
            Value::Int(count) if *count > 0 => {
                if branch.pipeline.targets.len() > 1 {
                    return Err(TemplateError::execution("a range over a number sets one variable", at));
                }
                self.rounds(branch, &mut (0..*count).map(|round| (Value::Int(round), Value::Int(round))))
            }
            Value::List(_) | Value::Map(_) | Value::Int(_) | Value::Nil => self.otherwise(branch, dot),
            other => {
                Err(TemplateError::execution(format!("a range cannot go over {}", other.type_name()), at)
                    .with_hint("a range goes over a list, a map or a whole number"))
            }
        }
    }

    fn rounds(
        &mut self,
        branch: &Branch,
        rounds: &mut dyn Iterator<Item = (Value, Value)>,
    ) -> Result<Flow, TemplateError> {
        let at = branch.pipeline.at;
        let scope = self.variables.len();
        for (key, value) in rounds {
            self.step(1, at)?;
            match branch.pipeline.targets.as_slice() {
                [] => {}
                [only] => self.assign(only, value.clone(), at)?,
                [first, second, ..] => {
                    self.assign(first, key, at)?;
                    self.assign(second, value.clone(), at)?;
                }
            }
            let flow = self.body(&branch.body, &value)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// Gives the innermost variable of this name a value.
    pub(super) fn assign(
        &mut self,
        name: &Arc<str>,
        value: Value,
        at: Position,
    ) -> Result<(), TemplateError> {
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, place)) => {
                *place = value;
                Ok(())
            }
            None => Err(TemplateError::execution(format!("the variable {name} is not set here"), at)),
        }
    }
}

fn whole(place: usize) -> Value {
    Value::Int(i64::try_from(place).unwrap_or(i64::MAX))
}
