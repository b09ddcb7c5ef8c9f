//! `opsctl wal`.

use std::path::Path;

use alfred_ops_backup::{WalArchiveOptions, WalArchiver, WalFetch};
use alfred_ops_core::{JobContext, PostgresOptions, Result};
use indicatif::HumanBytes;
use serde_json::json;

use super::place::Place;
use super::report::Report;
use super::server::with_password;

pub(super) async fn status(
    place: &Place,
    server: &PostgresOptions,
    slot: &str,
    context: &JobContext,
) -> Result<Report> {
    let archiver =
        WalArchiver::new(with_password(server), place.open().await?, WalArchiveOptions::new(slot)?);
    let report = archiver.inspect(context).await?;
    let findings = report.findings();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let text = format!(
        "cluster        {}, timeline {}\nwritten        {}\nstored         {} ({} behind)\n\
         slot keeps     {}\nslot limit     {}\nnewest backup  {}\n{}",
        report.system_id,
        report.timeline,
        report.written,
        report.stored,
        HumanBytes(report.lag_bytes),
        or_none(report.slot_keeps_from.map(|from| format!("from {from}"))),
        or_none(report.slot_limit_bytes.map(|limit| HumanBytes(limit).to_string())),
        or_none(report.newest_backup.map(|id| id.to_string())),
        if findings.is_empty() { "all is well".to_owned() } else { format!("! {}", findings.join("\n! ")) },
    );
    let mut json = json!(report);
    json["findings"] = json!(findings);
    Ok(Report::new(text, json))
}

pub(super) async fn get(place: &Place, system: Option<&str>, file: &str, path: &Path) -> Result<Report> {
    WalFetch::new(&place.open().await?, system).await?.fetch(file, path).await?;
    Ok(Report::new(format!("{file} is at {}", path.display()), json!({ "file": file, "path": path })))
}
