//! What API servers write, as far as it is read here.

use serde::Deserialize;

/// One page of a list.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct Page<T> {
    #[serde(default)]
    pub(super) metadata: PageMetadata,
    /// A server may write an empty list as null.
    #[serde(default)]
    pub(super) items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct PageMetadata {
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) kind: String,
    pub(super) message: String,
    /// One word, finer than the status.
    pub(super) reason: String,
    pub(super) details: Option<StatusDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StatusDetails {
    pub(super) name: String,
    pub(super) retry_after_seconds: u64,
}
