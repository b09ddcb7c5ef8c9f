//! The chore.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{AuditFacts, AuditPolicy, AuditReport, CargoScanner, DependencyScanner, judge_dependencies};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const OVERDUE_AFTER: Duration = Duration::from_secs(40 * 24 * 3600);

/// Looks every month whether something bad is known of the dependencies. It changes nothing: findings are obstacles, and its
/// caretaker raises the alarm of an ineffective chore until a run finds none.
#[derive(Debug, Clone)]
pub struct DependencyAudit {
    scanners: Vec<Arc<dyn DependencyScanner>>,
    policy: AuditPolicy,
}

impl DependencyAudit {
    /// An audit that looks at nothing yet.
    #[must_use]
    pub const fn new(policy: AuditPolicy) -> Self {
        Self { scanners: Vec::new(), policy }
    }

    /// An audit of a `Cargo.lock` against a folder with the database of `RustSec`.
    #[must_use]
    pub fn of_cargo(lockfile: impl Into<PathBuf>, database: impl Into<PathBuf>, policy: AuditPolicy) -> Self {
        Self::new(policy).with_scanner(CargoScanner::new(lockfile, database))
    }

    /// Looks at something else as well.
    #[must_use]
    pub fn with_scanner(mut self, scanner: impl DependencyScanner) -> Self {
        self.scanners.push(Arc::new(scanner));
        self
    }

    /// A caretaker that runs it every 30 days, overdue after 40.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(MONTH).with_overdue_after(OVERDUE_AFTER))
    }

    /// Looks and judges.
    ///
    /// # Errors
    /// As [`Chore::inspect`] of it.
    pub async fn report(&self, context: &JobContext) -> Result<AuditReport> {
        let facts = self.inspect(context).await?;
        Ok(self.plan(&facts, context.now()))
    }
}

#[async_trait]
impl Chore for DependencyAudit {
    type Facts = AuditFacts;
    type Plan = AuditReport;

    fn name(&self) -> &str {
        "dependency-audit"
    }

    fn target(&self) -> &str {
        "dependencies"
    }

    /// What keeps one scanner from looking is a fact.
    ///
    /// # Errors
    /// The first scanner's if all failed: the chore then counts as failed and is tried again before its period is over.
    async fn inspect(&self, context: &JobContext) -> Result<AuditFacts> {
        let mut facts = AuditFacts::default();
        let mut first = None;
        for scanner in &self.scanners {
            context.check("audit dependencies")?;
            match scanner.scan(context).await {
                Ok(scan) => facts.scans.push((scanner.name().to_owned(), scan)),
                Err(error) => {
                    facts.failures.push(error.full());
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if facts.scans.is_empty() => Err(error),
            _ => Ok(facts),
        }
    }

    fn plan(&self, facts: &AuditFacts, now: DateTime<Utc>) -> AuditReport {
        judge_dependencies(facts, &self.policy, now)
    }

    async fn apply(&self, _: &AuditReport, _: &mut Turn<'_>) -> Result<()> {
        Ok(())
    }
}
