//! Pipelines, commands and operands.

use std::sync::Arc;

use super::super::functions;
use super::super::{TemplateError, Value};
use super::ast::{Command, Operand, OperandKind, Pipeline};
use super::parser::Parser;
use super::token::TokenKind;

impl Parser {
    /// Reads a pipeline with what ends it: an action's end or a closing parenthesis.
    pub(super) fn pipeline(&mut self, context: &str, end: &TokenKind) -> Result<Pipeline, TemplateError> {
        let at = self.peek().at;
        let (targets, assigns) = self.targets(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.peek().clone();
            let ends = std::mem::discriminant(&token.kind) == std::mem::discriminant(end);
            if ends && !commands.is_empty() {
                // A pipe at the end leads nowhere, which Go takes for none.
                self.next();
                break;
            }
            if ends || matches!(token.kind, TokenKind::Pipe) {
                return Err(TemplateError::syntax(format!("missing value for {context}"), token.at));
            }
            let command = self.command(context)?;
            if !commands.is_empty() && !can_take_a_value(&command.first.kind) {
                return Err(TemplateError::syntax(
                    "a value is piped into what is no function",
                    command.first.at,
                )
                .with_hint("behind `|` stands a function, which gets the value as its last argument"));
            }
            commands.push(command);
            let token = self.next();
            match token.kind {
                TokenKind::Pipe => {}
                kind if std::mem::discriminant(&kind) == std::mem::discriminant(end) => break,
                TokenKind::Close | TokenKind::End => {
                    return Err(TemplateError::syntax("a parenthesis is not closed", at));
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        self.variables.extend(targets.iter().filter(|_| !assigns).map(|name: &Arc<str>| name.to_string()));
        Ok(Pipeline { at, targets, assigns, commands })
    }

    /// The variables in front of a pipeline, and whether they exist already.
    fn targets(&mut self, context: &str) -> Result<(Vec<Arc<str>>, bool), TemplateError> {
        let mut targets: Vec<Arc<str>> = Vec::new();
        loop {
            let token = self.peek().clone();
            let TokenKind::Variable(name) = &token.kind else {
                if targets.is_empty() {
                    return Ok((targets, false));
                }
                return Err(self
                    .unexpected(&token, context)
                    .with_hint("a range can set two variables, no more"));
            };
            let assigns = match self.peek_second().kind {
                TokenKind::Declare => false,
                TokenKind::Assign => true,
                TokenKind::Comma if context == "range" && targets.is_empty() => {
                    targets.push(name.as_str().into());
                    self.next();
                    self.next();
                    continue;
                }
                TokenKind::Comma => {
                    return Err(TemplateError::syntax(format!("too many variables in {context}"), token.at)
                        .with_hint("only range sets two variables, `range $key, $value := …`"));
                }
                _ if targets.is_empty() => return Ok((targets, false)),
                _ => {
                    let second = self.peek_second().clone();
                    return Err(self.unexpected(&second, context));
                }
            };
            targets.push(name.as_str().into());
            if assigns {
                for target in &targets {
                    self.known(target, token.at)?;
                }
            }
            self.next();
            self.next();
            return Ok((targets, assigns));
        }
    }

    fn known(&self, name: &str, at: crate::promql::Position) -> Result<(), TemplateError> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        let error = TemplateError::syntax(format!("the variable {name} is not defined"), at);
        let known = self.variables.iter().map(String::as_str);
        Err(match functions::nearest(name, known) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None => {
                error.with_hint(format!("set it before, `{{{{ {name} := … }}}}`; it ends with its block"))
            }
        })
    }

    fn command(&mut self, context: &str) -> Result<Command, TemplateError> {
        let first = self.operand(context)?;
        let mut arguments = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::Pipe | TokenKind::Close | TokenKind::RightParen | TokenKind::End => break,
                _ if token.spaced => {
                    let argument = self.operand(context)?;
                    arguments.push(argument);
                }
                _ => {
                    let token = token.clone();
                    return Err(self.unexpected(&token, context).with_hint("put a space between the words"));
                }
            }
        }
        Ok(Command { first, arguments })
    }

    fn operand(&mut self, context: &str) -> Result<Operand, TemplateError> {
        let token = self.next();
        let at = token.at;
        let kind = match token.kind {
            TokenKind::Literal(value) => OperandKind::Literal(value),
            TokenKind::Dot => OperandKind::Dot,
            TokenKind::Field(name) => {
                let fields = self.fields(vec![name.into()]);
                OperandKind::Fields(fields)
            }
            TokenKind::Variable(ref name) => {
                self.known(name, at)?;
                let fields = self.fields(Vec::new());
                OperandKind::Variable { name: name.as_str().into(), fields }
            }
            TokenKind::LeftParen => {
                let inner = self.nested(|parser| parser.pipeline("parentheses", &TokenKind::RightParen))?;
                self.chain(Operand { at, kind: OperandKind::Pipeline(Box::new(inner)) })
            }
            TokenKind::Word(ref word) => match word.as_str() {
                "true" => OperandKind::Literal(Value::Bool(true)),
                "false" => OperandKind::Literal(Value::Bool(false)),
                "nil" => OperandKind::Nil,
                name => {
                    let function = functions::find(name, self.dialect).map_err(|hint| {
                        TemplateError::syntax(format!("function {name:?} is not defined"), at).with_hint(hint)
                    })?;
                    self.chain(Operand { at, kind: OperandKind::Function(function) })
                }
            },
            _ => return Err(self.unexpected(&token, context)),
        };
        let fixed = matches!(kind, OperandKind::Literal(_) | OperandKind::Dot | OperandKind::Nil);
        if fixed && !self.peek().spaced && matches!(self.peek().kind, TokenKind::Field(_)) {
            return Err(self
                .unexpected(&self.peek().clone(), context)
                .with_hint("only records and maps have fields"));
        }
        Ok(Operand { at, kind })
    }

    /// The fields that follow without space.
    fn fields(&mut self, mut fields: Vec<Arc<str>>) -> Vec<Arc<str>> {
        while !self.peek().spaced
            && let TokenKind::Field(name) = &self.peek().kind
        {
            fields.push(name.as_str().into());
            self.next();
        }
        fields
    }

    fn chain(&mut self, operand: Operand) -> OperandKind {
        let fields = self.fields(Vec::new());
        if fields.is_empty() { operand.kind } else { OperandKind::Chain { of: Box::new(operand), fields } }
    }
}

const fn can_take_a_value(kind: &OperandKind) -> bool {
    !matches!(kind, OperandKind::Literal(_) | OperandKind::Dot | OperandKind::Nil)
}
