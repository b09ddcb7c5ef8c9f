//! What is dangerous about a statement.

use std::fmt;

/// What a statement does to those who use the database meanwhile, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MigrationRisk {
    /// It does not run, or not as it reads.
    Fails,
    /// It holds up reads or writes for as long as the table is large.
    Blocks,
    /// The application that runs at the time does not work any more, or rows are gone.
    Breaks,
    /// Worth knowing.
    Notice,
}

impl fmt::Display for MigrationRisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fails => "fails",
            Self::Blocks => "blocks",
            Self::Breaks => "breaks",
            Self::Notice => "notice",
        })
    }
}

/// What is dangerous about a statement, and how to write it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationFinding {
    /// A short stable name.
    pub rule: &'static str,
    /// What it does to others.
    pub risk: MigrationRisk,
    /// The file or version that was checked.
    pub migration: String,
    /// Where it stands, from 1; columns count characters.
    pub line: usize,
    /// See `line`.
    pub column: usize,
    /// The table, where the statement has one.
    pub table: Option<String>,
    /// What happens.
    pub message: String,
    /// How the same is had safely.
    pub instead: String,
}

impl fmt::Display for MigrationFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, risk, migration, line, column, message, instead, .. } = self;
        write!(f, "{migration}:{line}:{column}: {risk}: {message}; {instead} [{rule}]")
    }
}
