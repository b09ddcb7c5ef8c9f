//! Leases where the database is what is down: in the object store.

mod blob_leases;
mod record;
mod sightings;

pub use blob_leases::BlobLeases;
