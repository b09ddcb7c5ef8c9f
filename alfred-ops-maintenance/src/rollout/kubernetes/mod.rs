//! Revisions as Deployments of a Kubernetes cluster.

mod anchor;
mod candidate;
mod carrying;
mod deployment;
mod kubernetes_rollout;
mod moves;
mod replicas;
mod shares;
mod standing;

#[cfg(test)]
mod tests;

pub use kubernetes_rollout::KubernetesRollout;

/// The label that tells a candidate's Deployment and pods from all others. The plain Deployment of the first contact has none.
const REVISION: &str = "alfred-ops/revision";
/// The annotation of the anchor that says who is to have which share.
const SHARES: &str = "alfred-ops/shares";
/// The annotation of a Deployment that says which change has come to it: what an earlier one still sends meets another version.
const CHANGE: &str = "alfred-ops/change";
/// The annotation of a template that starts the progress deadline anew.
const STARTED: &str = "alfred-ops/started";
