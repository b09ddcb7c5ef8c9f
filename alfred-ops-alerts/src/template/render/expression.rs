//! Pipelines, commands and operands.

use std::sync::Arc;

use crate::promql::Position;

use super::super::functions::{Call, Failure, Function};
use super::super::parse::{Command, Operand, OperandKind, Pipeline};
use super::super::{TemplateError, Value};
use super::renderer::Renderer;

/// So many bytes of text count as one step of a function.
const BYTES_PER_STEP: usize = 32;

impl Renderer<'_> {
    /// The pipeline's value, which its variables hold from here on.
    pub(super) fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for target in &pipeline.targets {
            if pipeline.assigns {
                self.assign(target, value.clone(), pipeline.at)?;
            } else {
                self.variables.push((Arc::clone(target), value.clone()));
            }
        }
        Ok(value)
    }

    /// The command's value; `last` is what was piped into it.
    fn command(
        &mut self,
        command: &Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let at = command.first.at;
        self.step(1, at)?;
        let of = match &command.first.kind {
            OperandKind::Function(function) => {
                return self.call_function(function, &command.arguments, dot, last, at);
            }
            OperandKind::Fields(fields) => Some((dot.clone(), fields)),
            OperandKind::Variable { name, fields } if !fields.is_empty() => {
                Some((self.variable(name, at)?, fields))
            }
            OperandKind::Chain { of, fields } => Some((self.operand(of, dot)?, fields)),
            OperandKind::Nil => return Err(TemplateError::execution("nil is not a command", at)),
            _ => None,
        };
        if let Some((of, fields)) = of {
            let arguments = self.arguments(&command.arguments, dot, last)?;
            return self.fields(of, fields, &arguments, at);
        }
        if !command.arguments.is_empty() || last.is_some() {
            return Err(TemplateError::execution("arguments are given to what is no function", at));
        }
        self.operand(&command.first, dot)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, TemplateError> {
        let at = operand.at;
        self.step(1, at)?;
        match &operand.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Literal(value) => Ok(value.clone()),
            OperandKind::Fields(fields) => self.fields(dot.clone(), fields, &[], at),
            OperandKind::Variable { name, fields } => {
                let value = self.variable(name, at)?;
                self.fields(value, fields, &[], at)
            }
            OperandKind::Function(function) => self.call_function(function, &[], dot, None, at),
            OperandKind::Pipeline(pipeline) => self.nested(at, |renderer| renderer.pipeline(pipeline, dot)),
            OperandKind::Chain { of, fields } => {
                let value = self.operand(of, dot)?;
                self.fields(value, fields, &[], at)
            }
        }
    }

    fn variable(&self, name: &str, at: Position) -> Result<Value, TemplateError> {
        let found = self.variables.iter().rev().find(|(known, _)| &**known == name);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| TemplateError::execution(format!("the variable {name} is not set here"), at))
    }

    fn arguments(
        &mut self,
        operands: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Vec<Value>, TemplateError> {
        let mut arguments = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(last);
        Ok(arguments)
    }

    fn call_function(
        &mut self,
        function: &Function,
        operands: &[Operand],
        dot: &Value,
        last: Option<Value>,
        at: Position,
    ) -> Result<Value, TemplateError> {
        let count = operands.len() + usize::from(last.is_some());
        function.check_count(count).map_err(|message| TemplateError::execution(message, at))?;
        match function.call {
            Call::And => self.until(false, operands, dot, last),
            Call::Or => self.until(true, operands, dot, last),
            Call::Template => match self.arguments(operands, dot, last)?.as_slice() {
                [Value::Text(name), data] => self.text_of(name, data.clone(), at),
                _ => Err(TemplateError::execution("tmpl takes a template's name and its data", at)),
            },
            Call::Plain(call) => {
                let arguments = self.arguments(operands, dot, last)?;
                self.step(function.steps + arguments.iter().map(size).sum::<u64>(), at)?;
                let value =
                    call(&self.scope, &arguments).map_err(|failure| self.failed(function, failure, at))?;
                self.step(size(&value), at)?;
                let too_long = value.as_text().is_some_and(|text| text.len() > self.scope.bytes_max);
                if too_long { Err(self.failed(function, Failure::TooLong, at)) } else { Ok(value) }
            }
        }
    }

    /// The first argument whose truth is `wanted`, or else the last one; those behind it are not looked at.
    fn until(
        &mut self,
        wanted: bool,
        operands: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let mut value = Value::Nil;
        for operand in operands {
            value = self.operand(operand, dot)?;
            if value.is_true() == wanted {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}

/// The steps for a value's length.
fn size(value: &Value) -> u64 {
    let steps = match value {
        Value::Text(text) => text.len() / BYTES_PER_STEP,
        Value::List(list) => list.len(),
        _ => 0,
    };
    u64::try_from(steps).unwrap_or(u64::MAX)
}
