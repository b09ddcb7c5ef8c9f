//! What a found number must pass before it is obeyed.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod guard;
mod passage;
mod state;
#[cfg(test)]
mod tests;

pub use guard::{Fallback, FlapBudget, Guard, Rate};

pub(super) use passage::pass;
pub(super) use state::GuardState;
