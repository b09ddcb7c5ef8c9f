//! From text to a tree.

mod ast;
mod lexer;
mod literal;
mod operands;
mod parser;
mod token;

pub(super) use ast::{Body, Branch, Command, Node, Operand, OperandKind, Pipeline};
pub(super) use parser::{define, parse};
