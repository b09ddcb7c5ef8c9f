//! `opsctl key …`.

use std::path::Path;

use alfred_ops_backup::RepositoryKey;
use alfred_ops_core::{JobContext, Result};
use serde_json::json;

use super::place::{Place, read_key};
use super::report::Report;

pub(super) fn new(context: &JobContext) -> Report {
    let key = RepositoryKey::generate(&*context.entropy);
    let text = key.to_hex().expose();
    Report::new(text, json!({ "key": text, "fingerprint": key.fingerprint() }))
}

pub(super) async fn list(place: &Place) -> Result<Report> {
    let keys = place.open().await?.keys().await?;
    let text = if keys.is_empty() { "the repository is not encrypted".to_owned() } else { keys.join("\n") };
    Ok(Report::new(text, json!(keys)))
}

pub(super) async fn add(place: &Place, file: &Path) -> Result<Report> {
    let key = read_key(file.to_owned()).await?;
    place.open().await?.add_key(&key).await?;
    let fingerprint = key.fingerprint();
    Ok(Report::new(format!("the key {fingerprint} opens it too"), json!({ "added": fingerprint })))
}

pub(super) async fn remove(place: &Place, fingerprint: &str) -> Result<Report> {
    place.open().await?.remove_key(fingerprint).await?;
    Ok(Report::new(format!("the key {fingerprint} no longer opens it"), json!({ "removed": fingerprint })))
}
