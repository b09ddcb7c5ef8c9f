//! VACUUM and ANALYZE where autovacuum left something to do, and the guard against wraparound.

mod facts;
#[cfg(feature = "postgres")]
mod look;
mod plan;
mod policy;
#[cfg(feature = "postgres")]
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod vacuum;

#[cfg(test)]
mod tests;

pub use facts::{HorizonHolder, TableUpkeep, VacuumFacts};
#[cfg(feature = "postgres")]
pub(crate) use look::holders;
pub use plan::{VacuumPlan, VacuumReason, VacuumSkip, VacuumStep, plan_vacuum};
pub use policy::VacuumPolicy;
#[cfg(feature = "postgres")]
pub use vacuum::Vacuum;
