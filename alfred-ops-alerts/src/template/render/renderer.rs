//! The state of a rendering.

use std::sync::Arc;

use crate::promql::Position;

use super::super::functions::{Failure, Function, Patterns, Scope};
use super::super::parse::{Body, Node, Pipeline};
use super::super::template_set::RULE_VARIABLES;
use super::super::value::Bounded;
use super::super::{Answer, Dialect, Environment, Template, TemplateError, Value};

/// Renders the template over the data.
pub(in crate::template) fn render(
    template: &Template,
    data: &Value,
    environment: &Environment<'_>,
) -> Result<String, TemplateError> {
    let bytes_max = template.limits.output_bytes_max;
    let patterns = Patterns::default();
    let mut renderer = Renderer {
        template,
        scope: Scope { environment, bytes_max, patterns: &patterns },
        output: Bounded::new(bytes_max),
        steps_left: template.limits.steps_max,
        depth: 0,
        variables: vec![(Arc::from("$"), data.clone())],
    };
    if template.dialect == Dialect::Rule {
        for (name, field) in RULE_VARIABLES {
            let value = match data {
                Value::Record(record) => match record.ask(field, &[]) {
                    Answer::Value(value) => value,
                    Answer::Unknown | Answer::Failed(_) => Value::Nil,
                },
                Value::Map(map) => map.get(field).cloned().unwrap_or(Value::Nil),
                _ => Value::Nil,
            };
            renderer.variables.push((Arc::from(format!("${name}")), value));
        }
    }
    renderer.body(&template.body, data)?;
    Ok(renderer.output.into_text())
}

pub(super) struct Renderer<'r> {
    pub(super) template: &'r Template,
    pub(super) scope: Scope<'r>,
    output: Bounded,
    steps_left: u64,
    depth: usize,
    /// The innermost last.
    pub(super) variables: Vec<(Arc<str>, Value)>,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl Renderer<'_> {
    pub(super) fn body(&mut self, body: &Body, dot: &Value) -> Result<Flow, TemplateError> {
        for node in body.iter() {
            match node {
                // Text has no place; the limit is told at the text's start.
                Node::Text(text) => self.write(text, Position { line: 1, column: 1 })?,
                Node::Action(pipeline) => self.action(pipeline, dot)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
                Node::Template { name, argument, at } => {
                    let argument = match argument {
                        Some(pipeline) => self.pipeline(pipeline, dot)?,
                        None => Value::Nil,
                    };
                    self.call(name, argument, *at)?;
                }
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    let flow =
                        self.nested(branch.pipeline.at, |renderer| renderer.branch(node, branch, dot))?;
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
            }
        }
        Ok(Flow::Next)
    }

    fn action(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<(), TemplateError> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.targets.is_empty() {
            return Ok(());
        }
        match value {
            Value::Nil => self.write("<no value>", pipeline.at),
            value => value.print(&mut self.output).map_err(|_| self.too_long(pipeline.at)),
        }
    }

    fn write(&mut self, text: &str, at: Position) -> Result<(), TemplateError> {
        self.output.push(text).map_err(|_| self.too_long(at))
    }

    /// Renders another template, which sees none of the variables here.
    pub(super) fn call(&mut self, name: &str, dot: Value, at: Position) -> Result<(), TemplateError> {
        let template = self.template;
        let Some(body) = template.defined.get(name) else {
            let error = TemplateError::execution(format!("template {name:?} is not defined"), at);
            let known = template.defined.keys().map(|name| &**name);
            return Err(match super::super::functions::nearest(name, known) {
                Some(near) => error.with_hint(format!("did you mean {near:?}?")),
                None => error,
            });
        };
        let outer = std::mem::replace(&mut self.variables, vec![(Arc::from("$"), dot.clone())]);
        let result = self.nested(at, |renderer| renderer.body(body, &dot));
        self.variables = outer;
        result.map(|_| ())
    }

    /// The text of another template.
    pub(super) fn text_of(&mut self, name: &str, dot: Value, at: Position) -> Result<Value, TemplateError> {
        let inner = Bounded::new(self.output.bytes_left());
        let outer = std::mem::replace(&mut self.output, inner);
        let result = self.call(name, dot, at);
        let inner = std::mem::replace(&mut self.output, outer);
        result.map(|()| Value::from(inner.into_text()))
    }

    /// Runs one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        at: Position,
        run: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let depth_max = self.template.limits.depth_max;
        if self.depth >= depth_max {
            let message = format!("blocks and templates lie more than {depth_max} deep within one another");
            return Err(TemplateError::limit(message, at).with_hint("look for a template that calls itself"));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    /// Counts steps.
    pub(super) fn step(&mut self, steps: u64, at: Position) -> Result<(), TemplateError> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or_else(|| {
            let message = format!("the rendering takes more than {} steps", self.template.limits.steps_max);
            TemplateError::limit(message, at).with_hint("loop over less")
        })?;
        Ok(())
    }

    fn too_long(&self, at: Position) -> TemplateError {
        let message = format!("the text grows longer than {} bytes", self.scope.bytes_max);
        TemplateError::limit(message, at).with_hint("render less, or cut it with slice or printf \"%.100s\"")
    }

    /// Why a function failed, with its name.
    pub(super) fn failed(&self, function: &Function, failure: Failure, at: Position) -> TemplateError {
        match failure {
            Failure::Message(message) => {
                TemplateError::execution(format!("{}: {message}", function.name), at)
            }
            Failure::TooLong => self.too_long(at),
            Failure::TooManyPatterns(max) => {
                TemplateError::limit(format!("{}: more than {max} different patterns", function.name), at)
            }
        }
    }
}
