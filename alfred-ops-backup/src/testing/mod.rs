//! For tests of this crate and of its users.

pub mod conformance;
mod fault;
mod faulty_blob_store;
#[cfg(feature = "testing-servers")]
pub mod servers;

pub use fault::{BlobMethod, Fault};
pub use faulty_blob_store::FaultyBlobStore;

use fault::flip;
