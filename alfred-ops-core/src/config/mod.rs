//! Typed configuration from TOML or YAML and the environment, with every mistake reported at once.

mod duration;
mod nearest;
mod problem;
mod section;
#[cfg(test)]
mod tests;
mod tree;
mod value;

pub use problem::ConfigProblem;
pub use section::{FromConfig, Section};
pub use tree::ConfigTree;
pub use value::FromConfigValue;
