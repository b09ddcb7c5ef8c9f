//! Whatever can be scaled in a Kubernetes cluster.

mod autoscalers;
mod scale;
mod scaler;
mod target;

pub use scaler::KubernetesScaler;
pub use target::ScaleTarget;
