//! A cluster of Qdrant in this process.

mod chaos;
mod invariants;
mod page;
mod qdrant_server;
mod refusal;
mod state;

pub use chaos::QdrantChaos;
pub use qdrant_server::QdrantServer;
