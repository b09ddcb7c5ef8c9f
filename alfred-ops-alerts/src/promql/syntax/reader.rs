//! Reads the grammar's tree along with the words it came from.
//!
//! The grammar decides what belongs to what; the words say where it stands and what was put aside for it.

use promql_parser::label::{MatchOp as TreeMatchOp, Matchers};
use promql_parser::parser::{
    BinModifier, Expr as Tree, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use super::grammar::Words;
use super::token::{Token, TokenKind};
use crate::promql::ast::{
    AggregateOp, At, BinaryOp, Cardinality, Function, Grouping, MatchOp, Matcher, Matching, Node, NodeKind,
    Selector, TimeShift,
};
use crate::promql::{Position, QueryError, Span};

/// Reads the tree.
pub(super) fn read(text: &str, tokens: &[Token], words: &Words, tree: &Tree) -> Result<Node, QueryError> {
    let mut reader = Reader { text, tokens, words, at: 0 };
    let node = reader.node(tree)?;
    if reader.at < tokens.len() {
        return Err(reader.unexpected());
    }
    Ok(node)
}

struct Reader<'t> {
    text: &'t str,
    tokens: &'t [Token],
    words: &'t Words,
    at: usize,
}

impl Reader<'_> {
    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn unexpected(&self) -> QueryError {
        let offset = self.token().map_or(self.text.len(), |token| token.span.start);
        let word = self.token().map_or("end of input", |token| token.span.of(self.text));
        QueryError::syntax(format!("unexpected {word:?}")).at(Position::in_text(self.text, offset))
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.token().is_some_and(|token| token.is_sign(sign));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), QueryError> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn take_word(&mut self, words: &[&str]) -> bool {
        let found = self.token().is_some_and(|token| words.iter().any(|word| token.is_word(word)));
        self.at += usize::from(found);
        found
    }

    /// Skips what a bracket encloses, if one opens here.
    fn skip_enclosed(&mut self, open: &str, close: &str) {
        if !self.take(open) {
            return;
        }
        let mut depth = 1_usize;
        while let Some(token) = self.token() {
            depth += usize::from(token.is_sign(open));
            depth -= usize::from(token.is_sign(close));
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn node(&mut self, tree: &Tree) -> Result<Node, QueryError> {
        if !matches!(tree, Tree::NumberLiteral(_)) {
            // The grammar forgets a plus before an expression.
            while self.take("+") {}
        }
        let start = self.token().map_or(self.text.len(), |token| token.span.start);
        let kind = match tree {
            Tree::NumberLiteral(_) => self.number()?,
            Tree::StringLiteral(_) => self.string()?,
            Tree::VectorSelector(tree) => NodeKind::Selector(self.selector(tree)?),
            Tree::MatrixSelector(tree) => {
                let mut selector = self.selector(&tree.vs)?;
                let bracket = self.words.brackets.get(&self.at).ok_or_else(|| self.unexpected())?;
                self.at = bracket.end;
                self.modifiers(&mut selector)?;
                NodeKind::Range { selector, range: bracket.range.clone() }
            }
            Tree::Subquery(tree) => {
                let of = Box::new(self.node(&tree.expr)?);
                let bracket = self.words.brackets.get(&self.at).ok_or_else(|| self.unexpected())?;
                self.at = bracket.end;
                let mut modified = Selector::default();
                self.modifiers(&mut modified)?;
                let step = bracket.step.clone().flatten();
                NodeKind::Subquery { of, range: bracket.range.clone(), step, shift: modified.shift }
            }
            Tree::Paren(tree) => {
                self.expect("(")?;
                let of = self.node(&tree.expr)?;
                self.expect(")")?;
                NodeKind::Paren(Box::new(of))
            }
            Tree::Unary(tree) => {
                self.expect("-")?;
                NodeKind::Negate(Box::new(self.node(&tree.expr)?))
            }
            Tree::Binary(tree) => {
                let left = Box::new(self.node(&tree.lhs)?);
                let (op, fills) = self.operator()?;
                let right = Box::new(self.node(&tree.rhs)?);
                let returns_bool = tree.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
                let matching = matching(tree.modifier.as_ref(), op, fills);
                NodeKind::Binary { op, returns_bool, matching, left, right }
            }
            Tree::Aggregate(tree) => {
                let op = self.token().and_then(Token::word).and_then(AggregateOp::from_name);
                let op = op.ok_or_else(|| self.unexpected())?;
                self.at += 1;
                self.skip_grouping();
                self.expect("(")?;
                let mut parameter = None;
                if let Some(tree) = &tree.param {
                    parameter = Some(Box::new(self.node(tree)?));
                    self.expect(",")?;
                }
                let of = Box::new(self.node(&tree.expr)?);
                self.expect(")")?;
                self.skip_grouping();
                NodeKind::Aggregate { op, grouping: grouping(tree.modifier.as_ref()), parameter, of }
            }
            Tree::Call(tree) => {
                let function = Function::from_name(tree.func.name).ok_or_else(|| self.unexpected())?;
                self.at += 1;
                self.expect("(")?;
                let mut arguments = Vec::with_capacity(tree.args.args.len());
                for (index, argument) in tree.args.args.iter().enumerate() {
                    if index > 0 {
                        self.expect(",")?;
                    }
                    arguments.push(self.node(argument)?);
                }
                self.expect(")")?;
                NodeKind::Call { function, arguments }
            }
            Tree::Extension(_) => return Err(self.unexpected()),
        };
        let last = self.at.checked_sub(1).and_then(|last| self.tokens.get(last));
        let end = last.map_or(start, |token| token.span.end);
        Ok(Node { span: Span { start, end }, kind })
    }

    fn number(&mut self) -> Result<NodeKind, QueryError> {
        let mut sign = 1.0;
        loop {
            if self.take("-") {
                sign = -sign;
            } else if !self.take("+") {
                break;
            }
        }
        let number = match self.token().map(|token| &token.kind) {
            Some(TokenKind::Number(number)) => *number,
            #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 milliseconds")]
            Some(TokenKind::Duration(millis)) => *millis as f64 / 1000.0,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(NodeKind::Number(if sign < 0.0 { -number } else { number }))
    }

    fn string(&mut self) -> Result<NodeKind, QueryError> {
        let Some(TokenKind::Text(bytes)) = self.token().map(|token| token.kind.clone()) else {
            return Err(self.unexpected());
        };
        self.at += 1;
        Ok(NodeKind::Text(bytes))
    }

    fn selector(&mut self, tree: &VectorSelector) -> Result<Selector, QueryError> {
        let offset = self.token().map_or(0, |token| token.span.start);
        let matchers = matchers(tree.name.as_deref(), &tree.matchers)
            .map_err(|error| error.at(Position::in_text(self.text, offset)))?;
        let mut selector = Selector { matchers, ..Selector::default() };
        if self.token().is_some_and(|token| token.word().is_some()) {
            self.at += 1;
        }
        self.skip_enclosed("{", "}");
        self.modifiers(&mut selector)?;
        Ok(selector)
    }

    /// Reads `offset`, `@`, `anchored` and `smoothed`, in any order.
    fn modifiers(&mut self, selector: &mut Selector) -> Result<(), QueryError> {
        loop {
            if let Some((duration, end)) = self.words.offsets.get(&self.at) {
                selector.shift.offset = Some(duration.clone());
                self.at = *end;
            } else if let Some(boundary) = self.words.boundaries.get(&self.at) {
                selector.boundary = *boundary;
                self.at += 1;
            } else if self.take("@") {
                self.at_modifier(&mut selector.shift)?;
            } else {
                return Ok(());
            }
        }
    }

    fn at_modifier(&mut self, shift: &mut TimeShift) -> Result<(), QueryError> {
        if self.take_word(&["start"]) {
            shift.at = Some(At::Start);
        } else if self.take_word(&["end"]) {
            shift.at = Some(At::End);
        } else {
            let NodeKind::Number(seconds) = self.number()? else { return Err(self.unexpected()) };
            #[expect(clippy::cast_possible_truncation, reason = "bounds were checked before")]
            let millis = (seconds * 1000.0).round() as i64;
            shift.at = Some(At::Time(millis));
            return Ok(());
        }
        self.expect("(")?;
        self.expect(")")
    }

    /// Reads an operator and what says how its sides meet; with the values that stand in for missing sides.
    fn operator(&mut self) -> Result<(BinaryOp, Fills), QueryError> {
        let op = match self.token().map(|token| &token.kind) {
            Some(TokenKind::Sign(sign)) => BinaryOp::from_sign(sign),
            Some(TokenKind::Name(name)) => BinaryOp::from_sign(name),
            _ => None,
        };
        let op = op.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        let mut fills = Fills::default();
        loop {
            let parenthesis_follows = self.tokens.get(self.at + 1).is_some_and(|token| token.is_sign("("));
            if self.take_word(&["bool"]) {
            } else if self.take_word(&["on", "ignoring", "group_left", "group_right"]) {
                self.skip_enclosed("(", ")");
            } else if parenthesis_follows && self.take_word(&["fill"]) {
                let value = self.fill_value()?;
                fills = Fills { left: value, right: value };
            } else if parenthesis_follows && self.take_word(&["fill_left"]) {
                fills.left = self.fill_value()?;
            } else if parenthesis_follows && self.take_word(&["fill_right"]) {
                fills.right = self.fill_value()?;
            } else {
                return Ok((op, fills));
            }
        }
    }

    fn fill_value(&mut self) -> Result<Option<f64>, QueryError> {
        self.expect("(")?;
        let NodeKind::Number(value) = self.number()? else { return Err(self.unexpected()) };
        self.expect(")")?;
        Ok(Some(value))
    }

    fn skip_grouping(&mut self) {
        if self.take_word(&["by", "without"]) {
            self.skip_enclosed("(", ")");
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Fills {
    left: Option<f64>,
    right: Option<f64>,
}

fn matchers(name: Option<&str>, tree: &Matchers) -> Result<Vec<Matcher>, QueryError> {
    if !tree.or_matchers.is_empty() {
        return Err(QueryError::syntax("unexpected \"or\" in label matching")
            .with_hint("use a regular expression: label=~\"a|b\""));
    }
    let name = name.map(|name| Matcher::equal(alfred_ops_core::Labels::NAME, name));
    let conditions = tree.matchers.iter().map(|matcher| {
        let op = match matcher.op {
            TreeMatchOp::Equal => MatchOp::Equal,
            TreeMatchOp::NotEqual => MatchOp::NotEqual,
            TreeMatchOp::Re(_) => MatchOp::Regex,
            TreeMatchOp::NotRe(_) => MatchOp::NotRegex,
        };
        Matcher::new(&matcher.name, op, &matcher.value)
    });
    name.into_iter().map(Ok).chain(conditions).collect()
}

fn grouping(modifier: Option<&LabelModifier>) -> Grouping {
    match modifier {
        None => Grouping::By(Vec::new()),
        Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
    }
}

fn matching(modifier: Option<&BinModifier>, op: BinaryOp, fills: Fills) -> Matching {
    let mut matching = Matching { fill_left: fills.left, fill_right: fills.right, ..Matching::default() };
    if op.is_set_operator() {
        matching.cardinality = Cardinality::ManyToMany;
    }
    let Some(modifier) = modifier else { return matching };
    match &modifier.card {
        VectorMatchCardinality::ManyToOne(labels) => {
            matching.cardinality = Cardinality::ManyToOne(labels.labels.clone());
        }
        VectorMatchCardinality::OneToMany(labels) => {
            matching.cardinality = Cardinality::OneToMany(labels.labels.clone());
        }
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {}
    }
    match &modifier.matching {
        Some(LabelModifier::Include(labels)) => {
            matching.on = true;
            matching.labels.clone_from(&labels.labels);
        }
        Some(LabelModifier::Exclude(labels)) => matching.labels.clone_from(&labels.labels),
        None => {}
    }
    matching
}
