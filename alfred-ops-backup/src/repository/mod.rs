//! The repository: what backups look like in a blob store.
//!
#![doc = include_str!("format.md")]

mod ancestry;
mod base;
mod binary;
mod catalog;
mod cipher;
mod codec;
mod content_writer;
mod entry;
mod frame;
mod frame_cache;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod header;
mod index;
mod index_builder;
mod inspection;
mod key;
mod keyring;
mod layout;
mod options;
mod pack_writer;
mod page;
mod page_map;
mod present_files;
mod prune;
mod read_plan;
mod record;
#[expect(clippy::module_inception, reason = "one main type per file, and the file is named after it")]
mod repository;
mod sealer;
mod second_look;
mod segment;
mod segment_builder;
mod slab;
mod snapshot_reader;
mod snapshot_writer;
mod verify;

pub use catalog::Catalog;
pub use codec::Compression;
pub use entry::{Entry, EntryKind};
pub use inspection::{Damage, DamageKind, Inspection, InspectionDepth, RepairReport, Unmended};
pub use key::RepositoryKey;
pub use options::RepositoryOptions;
pub use present_files::PresentFiles;
pub use prune::PruneReport;
pub use record::{BackupMode, BackupRecord, BackupStats, LogRange};
pub use repository::Repository;
pub use snapshot_reader::{Piece, SnapshotReader};
pub use snapshot_writer::SnapshotWriter;
pub use verify::VerifyReport;

pub(crate) use layout::Layout;
pub(crate) use sealer::Sealer;
pub(crate) use second_look::read_again_if_damaged;
