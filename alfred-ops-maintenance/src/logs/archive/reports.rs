//! What came of a search or a restore.

use chrono::{DateTime, Utc};

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundLine {
    /// Where it comes from: `HOST/LOG`.
    pub log: String,
    /// When it was written; a line without a time has that of the one before, and where none before it has one, the time
    /// before which nothing of its piece was written.
    pub time: DateTime<Utc>,
    /// Whether this line or one before it in its piece tells its time. A piece in which no line does lies between two
    /// times only, and all of it is found.
    pub is_dated: bool,
    /// The line, without its end. What is not UTF-8 is replaced.
    pub line: String,
}

/// What came of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogSearch {
    /// So many pieces were read.
    pub pieces: u64,
    /// So many bytes were fetched.
    pub bytes: u64,
    /// So many lines were given.
    pub found: u64,
    /// Pieces that could not be read, each with the reason: what is in them was not searched. At most a hundred.
    pub unread: Vec<String>,
}

/// What came of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRestore {
    /// So many files were written.
    pub files: u64,
    /// So many were there already, whole.
    pub present: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces that could not be read, each with the reason. At most a hundred.
    pub unread: Vec<String>,
}
