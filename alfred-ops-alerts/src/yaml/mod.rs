//! YAML as a tree that knows where each of its nodes stands.
//!
//! Scalars keep their text: whether `010` is a number is for the field that reads it to say, as in the Go
//! programs whose files these are.

mod node;
mod place;
mod read;
mod write;

pub(crate) use node::{Node, Value};
pub(crate) use place::Place;
pub(crate) use read::read;
pub(crate) use write::write;

#[cfg(test)]
mod tests;
