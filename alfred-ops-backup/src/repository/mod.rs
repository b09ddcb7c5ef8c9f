//! The repository: what backups look like in a blob store.
//!
#![doc = include_str!("format.md")]

mod catalog;
mod codec;
mod entry;
mod frame;
mod header;
mod index;
mod layout;
mod record;
#[expect(clippy::module_inception, reason = "one main type per file, and the file is named after it")]
mod repository;
mod snapshot_reader;
mod snapshot_writer;
mod verify;

pub use codec::Compression;
pub use entry::{Entry, EntryKind};
pub use record::{BackupRecord, BackupStats, LogRange};
pub use repository::{Repository, RepositoryOptions};
pub use snapshot_reader::{Piece, SnapshotReader};
pub use snapshot_writer::SnapshotWriter;
pub use verify::VerifyReport;

pub(crate) use frame::{decode_frame, encode_frame, split_frames};
pub(crate) use layout::Layout;
