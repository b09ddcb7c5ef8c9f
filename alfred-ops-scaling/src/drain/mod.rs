//! Workers that are not stopped while they work.

mod book;
mod drain_leases;
mod drain_pause;
mod draining_scaler;
mod plan;
#[cfg(feature = "kubernetes")]
mod pod_victims;
mod ranked_instance;
mod stored_book;
mod victims;
mod worker;

#[cfg(test)]
mod tests;

pub use drain_leases::{DrainLeases, DrainStanding};
pub use drain_pause::DrainPause;
pub use draining_scaler::DrainingScaler;
#[cfg(feature = "kubernetes")]
pub use pod_victims::PodVictims;
pub use ranked_instance::RankedInstance;
pub use victims::{VictimChoice, Victims};
pub use worker::{DrainWorker, Work};
