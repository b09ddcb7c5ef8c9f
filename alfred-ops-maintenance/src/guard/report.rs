//! What became of a change.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result};

use super::RestorePoint;

/// The way by which a change was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WayBack {
    /// Nothing of it had become visible: its transaction was rolled back, or it had not begun.
    Transaction,
    /// It left the database as it was, apart from sequences, which were set, and indexes built by half, which were removed.
    NothingLeft,
    /// The down migration, or the host's own statements.
    Down,
    /// Rows copied back from a server that was restored aside.
    CopiedBack,
}

impl fmt::Display for WayBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transaction => "its transaction was rolled back",
            Self::NothingLeft => "it left nothing behind",
            Self::Down => "the way down",
            Self::CopiedBack => "rows copied back from a side server",
        })
    }
}

/// What became of a change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GuardOutcome {
    /// It stands, and every check has passed.
    Kept,
    /// It failed, and the database is as it was before.
    BroughtBack(WayBack),
    /// It failed, and a server with the database as it was before runs beside, for people to repair from. The guard has
    /// changed nothing more.
    HandedOver {
        /// How the side server is reached. It is read-only unless a session says otherwise.
        server: Box<PostgresOptions>,
        /// Its data directory, to be removed when nobody needs it any more.
        folder: PathBuf,
        /// Why its rows were not simply copied back.
        why: String,
    },
    /// It failed, and no way back was left. It is still under way: once what was in the way is gone,
    /// [`Guard::resume`](super::Guard::resume) goes on, and [`Guard::forget`](super::Guard::forget) lets it stand as it is.
    Stranded {
        /// What is not as it was, and why it stays so.
        why: String,
    },
}

/// What rows written since the restore point came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CopiedRows {
    /// The table.
    pub table: String,
    /// Rows that were gone and are back.
    pub returned: u64,
    /// Rows whose values were set to what they were: what somebody wrote to them since is lost.
    pub overwritten: u64,
    /// Rows that did not exist at the restore point, and stay.
    pub newer_kept: u64,
    /// Rows that did not exist at the restore point, and are lost since the host asked for the table exactly as it was.
    pub newer_removed: u64,
}

/// What became of a change, and why.
#[derive(Debug, Clone)]
#[must_use = "a change that was undone is told here and by no error"]
#[non_exhaustive]
pub struct GuardReport {
    /// The change.
    pub change: String,
    /// The moment before it.
    pub point: Option<RestorePoint>,
    /// What became of it.
    pub outcome: GuardOutcome,
    /// Why it was undone.
    pub failure: Option<String>,
    /// The steps of the way back, in their order, with their reasons.
    pub steps: Vec<String>,
    /// Tables that were copied back, with what was lost.
    pub copied: Vec<CopiedRows>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// What the guard took before the change began.
    pub prepared_in: Duration,
    /// How long the change itself ran.
    pub changed_in: Duration,
}

impl GuardReport {
    /// Whether the change stands.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        matches!(self.outcome, GuardOutcome::Kept)
    }

    /// The report of a change that stands, else an error that says why it does not.
    ///
    /// # Errors
    /// `Conflict` if it was undone, `Internal` if people have to finish that.
    pub fn into_result(self) -> Result<Self> {
        let kind = match self.outcome {
            GuardOutcome::Kept => return Ok(self),
            GuardOutcome::BroughtBack(_) => ErrorKind::Conflict,
            GuardOutcome::HandedOver { .. } | GuardOutcome::Stranded { .. } => ErrorKind::Internal,
        };
        Err(Error::new(kind, "guard", self.to_string()))
    }
}

impl fmt::Display for GuardReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.change)?;
        match &self.outcome {
            GuardOutcome::Kept => f.write_str("kept")?,
            GuardOutcome::BroughtBack(way) => write!(f, "brought back: {way}")?,
            GuardOutcome::HandedOver { server, why, .. } => {
                write!(f, "not brought back; as it was before it is at {server}: {why}")?;
            }
            GuardOutcome::Stranded { why } => write!(f, "not brought back: {why}")?,
        }
        if let Some(failure) = &self.failure {
            write!(f, "; because {failure}")?;
        }
        for rows in &self.copied {
            let CopiedRows { table, returned, overwritten, newer_kept, newer_removed } = rows;
            write!(
                f,
                "; {table}: {returned} rows returned, {overwritten} overwritten, {newer_kept} newer kept, \
                 {newer_removed} newer removed"
            )?;
        }
        for note in &self.notes {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}
