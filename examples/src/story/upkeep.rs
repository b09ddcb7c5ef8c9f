//! Old messages go.

use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result};
use alfred_ops_maintenance::{Retention, RetentionPolicy};

use crate::console::Console;
use crate::platform::Database;
use crate::proof::Proofs;

/// Removes processed messages past their 48 hours.
///
/// # Errors
/// If a step fails; a proof that does not hold is no error.
pub async fn upkeep(
    server: &PostgresOptions,
    database: &Database,
    context: &JobContext,
    console: &Console,
    proofs: &mut Proofs,
) -> Result<()> {
    console.chapter("Upkeep");
    let policy = RetentionPolicy::processed_msgs().with_pause(Duration::from_millis(1));
    let retention = Retention::new(server.clone(), policy);
    console.step(&format!("plan: {}", retention.plan(context).await?));
    let young: i64 = database
        .value("SELECT count(*) FROM processed_msgs WHERE processed_at >= now() - interval '48 hours'")
        .await?;
    let report = retention.run(context).await?;
    let left: i64 = database.value("SELECT count(*) FROM processed_msgs").await?;
    proofs.add(
        "expired messages removed",
        format!("{} rows in {} batches", report.rows, report.batches),
        format!("{left} left, of {young} younger than 48 hours"),
        // Some age over the line between the two counts.
        report.rows > 0 && report.rows_left == 0 && left <= young && left > young - 1000,
    );
    Ok(())
}
