//! Leases: at most one owner at a time, and late owners that do no harm.

mod fence;
mod grant;
mod keeper;
mod state_leases;
mod store;

pub use fence::Fence;
pub use grant::Grant;
pub use keeper::LeaseKeeper;
pub use state_leases::StateLeases;
pub use store::LeaseStore;
#[cfg(any(test, feature = "testing"))]
pub use store::MockLeaseStore;
