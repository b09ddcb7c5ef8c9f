//! Rollouts of services on Cloud Run.

mod cloud_run_rollout;
mod revision;
mod traffic;

pub use cloud_run_rollout::CloudRunRollout;
