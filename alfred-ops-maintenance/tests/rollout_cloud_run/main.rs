//! Rollouts of services and worker pools on Cloud Run, against a server that keeps state.
//!
//! `ALFRED_OPS_ROLLOUT_CRASHES` says how many hosts die of each kind; without it, 100, and 50 of pools with leases.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod crashes;
mod fleet;
mod house;
mod outcomes;
mod pools;
mod services;
mod workers;
