//! Leases: at most one owner at a time, and late owners that do no harm.

mod fence;

pub use fence::Fence;
