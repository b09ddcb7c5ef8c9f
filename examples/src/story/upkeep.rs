//! Old messages go.

use std::sync::Arc;

use alfred_ops_core::{JobContext, MemoryStateStore, PostgresOptions, Result};
use alfred_ops_maintenance::{ChoreOutcome, Retention, RetentionPolicy};

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
    let retention = Retention::new(server.clone(), RetentionPolicy::processed_msgs())
        .caretaker(Arc::new(MemoryStateStore::default()))
        .build()?;
    console.step(&format!("plan: {}", retention.plan(context).await?));
    let young: i64 = database
        .value("SELECT count(*) FROM processed_msgs WHERE processed_at >= now() - interval '48 hours'")
        .await?;
    let run = retention.run(context).await?;
    console.step(&run.to_string());
    let (work, steps, all) = run.record().map_or((0, 0, false), |record| {
        (record.figures.work, record.figures.steps, record.outcome == ChoreOutcome::Finished)
    });
    let left: i64 = database.value("SELECT count(*) FROM processed_msgs").await?;
    proofs.add(
        "expired messages removed",
        format!("{work} rows in {steps} steps"),
        format!("{left} left, of {young} younger than 48 hours"),
        // Some age over the line between the two counts.
        work > 0 && all && left <= young && left > young - 1000,
    );
    Ok(())
}
