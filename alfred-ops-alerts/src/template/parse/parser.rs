//! From words to a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::promql::Position;

use super::super::functions::Dialect;
use super::super::{TemplateError, Value};
use super::ast::{Body, Branch, Node, Pipeline};
use super::lexer;
use super::token::{Token, TokenKind};

/// Texts longer than this are refused: no annotation comes near it.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Blocks, parentheses and `else if` within one another: each costs stack when it is read and when it is rendered.
const NESTING_MAX: usize = 100;

/// The words that begin or end something and are no functions.
const KEYWORDS: [&str; 10] =
    ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// A text with the templates that it defines.
#[derive(Debug)]
pub(in crate::template) struct Parsed {
    pub(in crate::template) body: Body,
    pub(in crate::template) defined: BTreeMap<Arc<str>, Body>,
}

/// Reads a template whose text may use these variables, named without dollar sign.
pub(in crate::template) fn parse(
    text: &str,
    dialect: Dialect,
    variables: &[&str],
) -> Result<Parsed, TemplateError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the template has {} bytes and may have {TEXT_BYTES_MAX}", text.len());
        return Err(TemplateError::syntax(message, Position { line: 1, column: 1 })
            .with_hint("split it into templates that are defined apart"));
    }
    let variables = std::iter::once("$".to_owned()).chain(variables.iter().map(|name| format!("${name}")));
    let mut parser = Parser {
        tokens: lexer::tokens(text)?,
        place: 0,
        dialect,
        variables: variables.collect(),
        defined: BTreeMap::new(),
        loops: 0,
        nesting: 0,
    };
    let (body, ended) = parser.body(true)?;
    match ended {
        Ending::Text => Ok(Parsed { body, defined: parser.defined }),
        Ending::End(at) | Ending::Else(at) => Err(TemplateError::syntax("there is nothing to end here", at)
            .with_hint("`{{end}}` and `{{else}}` belong to if, range, with, define or block")),
    }
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    place: usize,
    pub(super) dialect: Dialect,
    /// Those in scope, with their dollar signs.
    pub(super) variables: Vec<String>,
    defined: BTreeMap<Arc<str>, Body>,
    /// The loops around this place.
    loops: usize,
    nesting: usize,
}

/// How a body ended.
enum Ending {
    End(Position),
    /// The parser stands behind the word `else`.
    Else(Position),
    Text,
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        // The last token is the end, which nothing goes past.
        &self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    pub(super) fn peek_second(&self) -> &Token {
        &self.tokens[(self.place + 1).min(self.tokens.len() - 1)]
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.place += 1;
        token
    }

    pub(super) fn unexpected(&self, token: &Token, context: &str) -> TemplateError {
        TemplateError::syntax(format!("unexpected {} in {context}", token.kind), token.at)
    }

    /// Runs `read` one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        if self.nesting >= NESTING_MAX {
            let message = format!("more than {NESTING_MAX} levels within one another");
            return Err(TemplateError::syntax(message, self.peek().at)
                .with_hint("move inner parts into templates of their own with define"));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn body(&mut self, top: bool) -> Result<(Body, Ending), TemplateError> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                TokenKind::Text(text) => nodes.push(Node::Text(text.into())),
                TokenKind::End => return Ok((nodes.into(), Ending::Text)),
                TokenKind::Open => {
                    let word = match &self.peek().kind {
                        TokenKind::Word(word) if KEYWORDS.contains(&word.as_str()) => word.clone(),
                        _ => {
                            let pipeline = self.pipeline("action", &TokenKind::Close)?;
                            nodes.push(Node::Action(pipeline));
                            continue;
                        }
                    };
                    let at = self.peek().at;
                    self.place += 1;
                    match word.as_str() {
                        "end" => {
                            self.expect_close("end")?;
                            return Ok((nodes.into(), Ending::End(at)));
                        }
                        "else" => return Ok((nodes.into(), Ending::Else(at))),
                        "define" if top => self.define(at)?,
                        "define" => {
                            return Err(TemplateError::syntax("define stands within something else", at)
                                .with_hint("define templates at the top of the text"));
                        }
                        keyword => nodes.push(self.nested(|parser| parser.keyword(keyword, at))?),
                    }
                }
                _ => return Err(self.unexpected(&token, "text")),
            }
        }
    }

    fn keyword(&mut self, keyword: &str, at: Position) -> Result<Node, TemplateError> {
        match keyword {
            "if" | "with" | "range" => self.branch(keyword, at),
            "template" => self.call(at),
            "block" => self.block(at),
            // Those left are break and continue.
            _ => {
                self.expect_close(keyword)?;
                match keyword {
                    _ if self.loops == 0 => {
                        Err(TemplateError::syntax(format!("{keyword} stands outside of a range"), at))
                    }
                    "break" => Ok(Node::Break),
                    _ => Ok(Node::Continue),
                }
            }
        }
    }

    fn branch(&mut self, keyword: &str, at: Position) -> Result<Node, TemplateError> {
        let scope = self.variables.len();
        let pipeline = self.pipeline(keyword, &TokenKind::Close)?;
        let is_loop = keyword == "range";
        self.loops += usize::from(is_loop);
        let (body, ending) = self.body(false)?;
        self.loops -= usize::from(is_loop);
        let otherwise = match ending {
            Ending::End(_) => None,
            Ending::Text => return Err(Self::unclosed(keyword, at)),
            Ending::Else(else_at) => Some(self.otherwise(keyword, at, else_at)?),
        };
        self.variables.truncate(scope);
        let branch = Branch { pipeline, body, otherwise };
        Ok(match keyword {
            "if" => Node::If(branch),
            "with" => Node::With(branch),
            _ => Node::Range(branch),
        })
    }

    /// What follows `else`, up to the end that closes the whole.
    fn otherwise(&mut self, keyword: &str, at: Position, else_at: Position) -> Result<Body, TemplateError> {
        if let TokenKind::Word(word) = &self.peek().kind {
            if word != keyword || keyword == "range" {
                let message = format!("unexpected `{word}` behind else of {keyword}");
                return Err(TemplateError::syntax(message, self.peek().at));
            }
            self.place += 1;
            // `else if` is an if within else that shares its end.
            let node = self.nested(|parser| parser.branch(keyword, else_at))?;
            return Ok(vec![node].into());
        }
        self.expect_close("else")?;
        match self.body(false)? {
            (body, Ending::End(_)) => Ok(body),
            (_, Ending::Text) => Err(Self::unclosed(keyword, at)),
            (_, Ending::Else(second)) => {
                Err(TemplateError::syntax(format!("a second else in {keyword}"), second))
            }
        }
    }

    fn unclosed(keyword: &str, at: Position) -> TemplateError {
        TemplateError::syntax(format!("the {keyword} is not closed"), at).with_hint("close it with `{{end}}`")
    }

    pub(super) fn expect_close(&mut self, context: &str) -> Result<(), TemplateError> {
        let token = self.next();
        match token.kind {
            TokenKind::Close => Ok(()),
            _ => Err(self.unexpected(&token, context)),
        }
    }

    fn template_name(&mut self, context: &str) -> Result<Arc<str>, TemplateError> {
        let token = self.next();
        match token.kind {
            TokenKind::Literal(Value::Text(name)) => Ok(name),
            _ => Err(self
                .unexpected(&token, context)
                .with_hint(format!("{context} takes a template's name in quotes"))),
        }
    }

    fn define(&mut self, at: Position) -> Result<(), TemplateError> {
        let name = self.template_name("define")?;
        self.expect_close("define")?;
        self.definition(name, "define", at)
    }

    /// Reads a body that becomes a template of its own, with no variables but its dot.
    fn definition(&mut self, name: Arc<str>, keyword: &str, at: Position) -> Result<(), TemplateError> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (body, ending) = self.nested(|parser| parser.body(false))?;
        self.variables = outer;
        self.loops = loops;
        match ending {
            Ending::End(_) => define(&mut self.defined, name, body),
            Ending::Text => return Err(Self::unclosed(keyword, at)),
            Ending::Else(at) => {
                return Err(TemplateError::syntax(format!("unexpected else in {keyword}"), at));
            }
        }
        Ok(())
    }

    fn call(&mut self, at: Position) -> Result<Node, TemplateError> {
        let name = self.template_name("template")?;
        let argument = self.argument("template")?;
        Ok(Node::Template { name, argument, at })
    }

    fn block(&mut self, at: Position) -> Result<Node, TemplateError> {
        let name = self.template_name("block")?;
        let argument = Some(self.pipeline("block", &TokenKind::Close)?);
        self.definition(Arc::clone(&name), "block", at)?;
        Ok(Node::Template { name, argument, at })
    }

    fn argument(&mut self, context: &str) -> Result<Option<Pipeline>, TemplateError> {
        if matches!(self.peek().kind, TokenKind::Close) {
            self.place += 1;
            return Ok(None);
        }
        self.pipeline(context, &TokenKind::Close).map(Some)
    }
}

/// Adds a template; one that holds only space does not replace another.
pub(in crate::template) fn define(defined: &mut BTreeMap<Arc<str>, Body>, name: Arc<str>, body: Body) {
    let empty = body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()));
    if !empty || !defined.contains_key(&name) {
        defined.insert(name, body);
    }
}
