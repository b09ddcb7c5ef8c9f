//! What is wrong with a file.

use std::borrow::Cow;
use std::fmt;

use alfred_ops_core::{Classify, Error, ErrorKind};

/// One mistake in a file, or one thing in it that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileProblem {
    /// The file.
    pub file: String,
    /// The line, counted from one.
    pub line: usize,
    /// The column, counted from one.
    pub column: usize,
    /// The field, such as `scrape_configs[1].scrape_interval`.
    pub path: String,
    /// What is wrong, with the value unless it is secret.
    pub what: String,
    /// What to do, as an imperative sentence without a full stop.
    pub remedy: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}

/// All mistakes of a file, in its order; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblems(pub Vec<FileProblem>);

/// One mistake after the other on one line.
impl fmt::Display for FileProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for FileProblems {}

impl Classify for FileProblems {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        None
    }
}

impl From<FileProblems> for Error {
    fn from(problems: FileProblems) -> Self {
        Self::caused_by("read configuration", problems)
    }
}
