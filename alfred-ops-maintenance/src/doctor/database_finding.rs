//! One thing that is wrong with a database.

use std::fmt;

use super::DatabaseFault;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DatabaseSeverity {
    /// It costs something, or may be as meant.
    Notice,
    /// It will hurt.
    Warning,
    /// Data or service are at risk now.
    Critical,
}

/// What helps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseRemedy {
    /// One statement that may be run as it stands while others work, at most after a `SET lock_timeout` of its own: it keeps
    /// nobody from reading or writing for long.
    Run(String),
    /// What a person has to decide or to do first.
    Do(String),
}

/// One thing that is wrong with a database. `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseFinding {
    /// What is wrong; [`DatabaseFault::why`] says why it matters.
    pub fault: DatabaseFault,
    /// How bad it is.
    pub severity: DatabaseSeverity,
    /// Which object, as SQL has it where it is one; it stays the same while the fault lasts.
    pub place: String,
    /// The figures.
    pub figures: String,
    /// What helps.
    pub remedy: DatabaseRemedy,
}

impl DatabaseFinding {
    pub(super) fn new(
        fault: DatabaseFault,
        severity: DatabaseSeverity,
        place: impl Into<String>,
        figures: impl Into<String>,
        remedy: DatabaseRemedy,
    ) -> Self {
        Self { fault, severity, place: place.into(), figures: figures.into(), remedy }
    }
}

impl fmt::Display for DatabaseSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

impl fmt::Display for DatabaseRemedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(statement) => write!(f, "run {statement}"),
            Self::Do(advice) => f.write_str(advice),
        }
    }
}

impl fmt::Display for DatabaseFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, severity, place, figures, remedy } = self;
        write!(f, "{severity}: {fault}: {place}: {figures}; {}; {remedy}", fault.why())
    }
}
