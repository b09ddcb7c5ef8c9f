//! What lies at the destination of a restore already.

use std::fmt;
use std::fs::File;

use alfred_ops_core::Result;

use super::Entry;

/// What lies at the destination of a restore already, so that only what differs is read from the store.
pub trait PresentFiles: fmt::Debug + Send + Sync + 'static {
    /// The file that stands where the entry's content will be, opened for reading; `None` if there is none.
    /// It must not change until the content was handed out. Called on a thread that may block.
    ///
    /// # Errors
    /// The file system's.
    fn open(&self, entry: &Entry) -> Result<Option<File>>;
}
