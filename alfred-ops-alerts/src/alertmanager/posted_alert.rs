//! An alert as an Alertmanager is told of it.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// An alert as an Alertmanager is told of it. As JSON it has the form that `POST /api/v2/alerts` takes, its times in
/// milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PostedAlert {
    /// What tells it from others: the alert's labels and the engine's external ones, as relabelling leaves them.
    pub labels: Labels,
    /// What a person is told. Not written if there is nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire.
    #[serde(serialize_with = "millis")]
    pub starts_at: DateTime<Utc>,
    /// When it resolved; of one that fires, until when it is to be believed without hearing more.
    #[serde(serialize_with = "millis")]
    pub ends_at: DateTime<Utc>,
    /// Where the rule's expression can be looked at.
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

fn millis<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
