//! Append-only logs in a repository, such as a database's write-ahead log.

mod archive;
mod reader;

pub use archive::LogArchive;
pub use reader::LogReader;

pub(crate) use archive::CHUNK_RAW_MAX;
