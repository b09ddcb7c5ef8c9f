//! Rollouts on Cloud Run.

mod cloud_run_rollout;
mod cloud_run_target;
mod cloud_run_worker_pool_rollout;
mod resource;
mod revision;
mod rounded_split;
mod service;
mod split;
mod worker_pool;

pub use cloud_run_rollout::CloudRunRollout;
pub use cloud_run_worker_pool_rollout::CloudRunWorkerPoolRollout;
