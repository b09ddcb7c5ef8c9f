//! The scale subresource as the API writes it.

use serde::Deserialize;

/// How far an object is scaled.
#[derive(Debug, Deserialize)]
pub(super) struct Scale {
    pub(super) metadata: Metadata,
    /// Empty where it asks for no replicas.
    #[serde(default)]
    pub(super) spec: Replicas,
    #[serde(default)]
    pub(super) status: Replicas,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) resource_version: String,
}

/// A number of replicas; zero is left out on the wire.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Replicas {
    #[serde(default)]
    pub(super) replicas: u32,
}
