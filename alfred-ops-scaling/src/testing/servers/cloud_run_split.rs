//! Who gets requests or instances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::api_error::ApiError;
use super::cloud_run_kind::CloudRunKind;
use super::cloud_run_revision::CloudRunRevision;

type Revisions = BTreeMap<String, CloudRunRevision>;

/// Refuses a split that is not of 100 percent, names what does not exist, or uses a tag twice.
pub(super) fn check_split(kind: CloudRunKind, split: &Value, revisions: &Revisions) -> Result<(), ApiError> {
    let field = kind.split();
    let Some(entries) = split.as_array().filter(|entries| !entries.is_empty()) else { return Ok(()) };
    let mut tags = BTreeSet::new();
    for entry in entries {
        let revision = entry["revision"].as_str().unwrap_or_default();
        match kind.is_latest(entry) {
            Some(true) if revision.is_empty() => {}
            Some(false) if revisions.contains_key(revision) => {}
            Some(false) => {
                return Err(ApiError::invalid(format!(
                    "{field}.revision: Revision '{revision}' does not exist."
                )));
            }
            _ => return Err(ApiError::invalid(format!("{field}.type: {} with '{revision}'", entry["type"]))),
        }
        let tag = entry["tag"].as_str().unwrap_or_default();
        if !tag.is_empty() && !tags.insert(tag) {
            return Err(ApiError::invalid(format!("{field}.tag: '{tag}' is there twice")));
        }
    }
    let percents = entries.iter().map(percent);
    if percents.clone().any(|percent| !(0..=100).contains(&percent)) || percents.sum::<i64>() != 100 {
        return Err(ApiError::invalid(format!("{field}.percent: the percents are not 100 together")));
    }
    Ok(())
}

/// The entries with revisions instead of `LATEST`. None without a split is all to the newest that is ready.
pub(super) fn resolved(kind: CloudRunKind, split: &Value, latest: Option<&str>) -> Vec<Value> {
    let everything = [json!({ "type": kind.allocation("LATEST"), "percent": 100 })];
    let entries = split.as_array().filter(|entries| !entries.is_empty());
    let entries = entries.map_or(&everything[..], Vec::as_slice);
    let named = |entry: &Value| {
        let mut entry = entry.clone();
        if kind.is_latest(&entry) == Some(true) {
            entry["revision"] = json!(latest);
        }
        entry
    };
    entries.iter().map(named).collect()
}

/// The revision that should get something and is not ready.
pub(super) fn unready<'a>(entries: &'a [Value], revisions: &Revisions) -> Option<&'a str> {
    entries
        .iter()
        .filter(|entry| percent(entry) > 0)
        .map(|entry| entry["revision"].as_str().unwrap_or_default())
        .find(|revision| !revisions.get(*revision).is_some_and(CloudRunRevision::is_ready))
}

/// The share of an entry.
pub(super) fn percent(entry: &Value) -> i64 {
    entry["percent"].as_i64().unwrap_or(0)
}
