//! Plays a rule over the past.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod backtest;
mod episode;
mod play;

#[cfg(test)]
mod tests;

pub use backtest::{AlertHistory, Backtest};
pub use episode::Episode;
pub use play::backtest;
