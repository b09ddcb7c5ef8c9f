//! `opsctl backup repair`.

use std::sync::Arc;

use alfred_ops_backup::{RepairReport, Repository};
use alfred_ops_core::{JobContext, Result};
use serde_json::json;

use super::arguments::Which;
use super::backup::ids;
use super::place::{Place, SecondPlace};
use super::report::Report;
use crate::console::Console;

pub(super) async fn run(
    place: &Place,
    which: &Which,
    second: &SecondPlace,
    context: &JobContext,
    console: &Console,
) -> Result<Report> {
    let (store, from, options) = (place.store().await?, second.store().await?, place.options().await?);
    // What a repository is opened by comes first.
    let entrance = Repository::repair_entrance(&*store, Arc::clone(&from), &options).await?;
    let repository = place.open().await?;
    let mut reports: Vec<RepairReport> = Vec::new();
    for id in ids(&repository, which).await? {
        let repair = repository.repair(id, &*from, context);
        reports.push(Box::pin(console.watch(&context.progress, repair)).await?);
    }
    let mut lines: Vec<String> = entrance.iter().map(|damage| format!("mended {damage}")).collect();
    for report in &reports {
        lines.extend(report.mended.iter().map(|damage| format!("mended {damage}")));
        lines.extend(report.unmended.iter().map(|left| format!("! {}; {}", left.damage, left.why)));
        let state = if report.is_whole() { "is whole" } else { "is still damaged" };
        lines.push(format!("backup {} {state}: {} objects looked at", report.backup, report.objects));
    }
    let failed = reports.iter().any(|report| !report.is_whole());
    let json = json!({ "whole": !failed, "entrance": entrance, "backups": reports });
    Ok(Report::new(lines.join("\n"), json).failed_if(failed))
}
