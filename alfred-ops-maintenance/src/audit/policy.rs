//! Which findings count.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};

use super::AdvisorySeverity;

/// Advisories come several times a month; a database without one for so long is not being updated.
const DATABASE_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// An advisory that is not reported for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoredAdvisory {
    /// Its id, or one of its aliases.
    pub id: String,
    /// Why it does no harm here.
    pub reason: String,
    /// From then on it is reported again.
    pub until: DateTime<Utc>,
}

/// Which findings count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditPolicy {
    /// Vulnerabilities below this severity are counted and not reported; those that nobody has scored are reported.
    pub severity_min: AdvisorySeverity,
    /// Whether unsound packages are reported.
    pub unsound: bool,
    /// Whether unmaintained packages are reported.
    pub unmaintained: bool,
    /// Whether yanked versions are reported.
    pub yanked: bool,
    /// Whether other notices are reported.
    pub notices: bool,
    /// What is not reported for a while.
    pub ignored: Vec<IgnoredAdvisory>,
    /// A database of advisories that is older is an obstacle.
    pub database_age_max: Duration,
}

impl Default for AuditPolicy {
    /// Everything but notices, and no database older than 30 days.
    fn default() -> Self {
        Self {
            severity_min: AdvisorySeverity::Low,
            unsound: true,
            unmaintained: true,
            yanked: true,
            notices: false,
            ignored: Vec::new(),
            database_age_max: DATABASE_AGE_MAX,
        }
    }
}

impl AuditPolicy {
    /// Another least severity.
    #[must_use]
    pub const fn with_severity_min(mut self, severity_min: AdvisorySeverity) -> Self {
        self.severity_min = severity_min;
        self
    }

    /// Another greatest age of the database.
    #[must_use]
    pub const fn with_database_age_max(mut self, database_age_max: Duration) -> Self {
        self.database_age_max = database_age_max;
        self
    }

    /// Does not report an advisory until then.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] without an id or a reason.
    pub fn ignoring(
        mut self,
        id: impl Into<String>,
        reason: impl Into<String>,
        until: DateTime<Utc>,
    ) -> Result<Self> {
        let (id, reason) = (id.into(), reason.into());
        for (field, value, remedy) in [
            ("id", &id, "give the advisory's id, such as RUSTSEC-2024-0001"),
            ("reason", &reason, "say why the advisory does no harm here"),
        ] {
            if value.trim().is_empty() {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "ignore advisory",
                    format!("{field}: {value:?} says nothing"),
                )
                .with_target(&id)
                .with_remedy(remedy));
            }
        }
        self.ignored.push(IgnoredAdvisory { id, reason, until });
        Ok(self)
    }
}
