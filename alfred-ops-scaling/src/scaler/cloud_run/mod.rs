//! A service on Cloud Run.

mod failure;
mod options;
mod scaler;

pub use options::CloudRunOptions;
pub use scaler::CloudRunScaler;
