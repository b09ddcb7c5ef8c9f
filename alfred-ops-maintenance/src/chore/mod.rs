//! Routine work on something: looked at, planned, gated, done within a budget, and looked at again.

mod book;
mod budget;
mod builder;
mod cadence;
mod caretaker;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod chore;
mod figures;
mod gate;
mod gauges;
mod record;
mod run;
mod standing;
mod state;
mod stop;
mod turn;

#[cfg(test)]
mod tests;

pub use book::ChoreBook;
pub use budget::Budget;
pub use builder::CaretakerBuilder;
pub use cadence::Cadence;
pub use caretaker::Caretaker;
pub use chore::{Chore, ChorePlan};
pub use figures::Figures;
#[cfg(feature = "guard")]
pub(crate) use gate::GATE_LIMIT;
pub(crate) use gate::first_closed;
pub use gate::{ClosureGate, Gate, WindowGate};
pub use record::{ChoreOutcome, ChoreRecord};
pub use run::{ChoreRun, Refusal};
pub use standing::ChoreStanding;
pub use stop::Stop;
pub use turn::Turn;
