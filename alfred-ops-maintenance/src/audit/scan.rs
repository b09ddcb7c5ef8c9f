//! What a look at the dependencies finds.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::{JobContext, Result};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::DependencyFinding;

/// What one scanner found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DependencyScan {
    /// The faults.
    pub findings: Vec<DependencyFinding>,
    /// How many dependencies were looked up.
    pub packages: u64,
    /// How many were not, because no advisory can be about them: of other registries, or local ones.
    pub skipped: u64,
    /// When what is known was last brought up to date, where the scanner can tell.
    pub database_at: Option<DateTime<Utc>>,
}

/// Looks dependencies up in what is known of their faults.
#[async_trait]
pub trait DependencyScanner: fmt::Debug + Send + Sync + 'static {
    /// What it looks at, in a word for reports: a file, an image.
    fn name(&self) -> &str;

    /// Looks, and changes nothing that matters. May be repeated and dropped.
    ///
    /// # Errors
    /// What kept it from looking, with its remedy. A finding is no error.
    async fn scan(&self, context: &JobContext) -> Result<DependencyScan>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: DependencyScanner + ?Sized> DependencyScanner for Arc<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn scan(&self, context: &JobContext) -> Result<DependencyScan> {
        (**self).scan(context).await
    }
}

/// What all scanners found: one that failed leaves the others' findings standing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFacts {
    /// By the scanners' names.
    pub scans: Vec<(String, DependencyScan)>,
    /// What kept scanners from looking, each with its remedy.
    pub failures: Vec<String>,
}
