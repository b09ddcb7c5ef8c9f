//! Rollouts of Deployments, against the Kubernetes API server of scaling's tests.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod crashes;
mod hands;
mod house;
mod outcomes;
mod workers;
