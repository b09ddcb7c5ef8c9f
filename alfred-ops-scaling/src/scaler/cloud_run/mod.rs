//! Services and worker pools on Cloud Run.

mod api;
mod client;
mod failure;
mod options;
mod scaler;
mod worker_pool_scaler;

pub use api::CloudRunApi;
pub use options::CloudRunOptions;
pub use scaler::CloudRunScaler;
pub use worker_pool_scaler::CloudRunWorkerPoolScaler;
