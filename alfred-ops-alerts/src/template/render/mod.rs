//! From a tree and data to text.

mod control;
mod expression;
mod field;
mod renderer;

pub(super) use renderer::render;
