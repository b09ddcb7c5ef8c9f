//! From text to tree.
//!
//! The grammar is the `promql-parser` crate's. What it lacks is ours: positions, durations that are computed,
//! `anchored` and `smoothed`, the trim operators, and errors that say where and how else. A query is split into
//! words, what the crate does not know is put into words that it knows, and the tree that comes back is read
//! along with the words, which hold the rest.

mod diagnosis;
mod duration;
mod grammar;
mod labels;
mod lexer;
mod reader;
mod token;
mod types;
mod unquote;

#[cfg(test)]
mod tests;

use super::QueryError;
use super::ast::Node;

pub(crate) use labels::read_labels;
pub(crate) use unquote::{quote, unquote};

/// Nesting beyond this is not what somebody wrote, and would exhaust the stack.
const DEPTH_MAX: usize = 100;

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Node, QueryError> {
    let tokens = lexer::tokens(text)?;
    diagnosis::check(text, &tokens)?;
    let words = grammar::rewrite(text, &tokens)?;
    let tree = promql_parser::parser::parse(&words.text)
        .map_err(|message| diagnosis::explain(text, &tokens, &message))?;
    let node = reader::read(text, &tokens, &words, &tree)?;
    types::check(text, &node)?;
    Ok(node)
}
