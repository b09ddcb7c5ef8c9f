//! A wait that most messages must not exceed, at the least cost.

mod basis;
mod dips;
mod quantile;
mod rates;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod slo;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use basis::SloBasis;
pub use slo::Slo;

pub(super) use state::SloState;
pub(super) use step::propose;
