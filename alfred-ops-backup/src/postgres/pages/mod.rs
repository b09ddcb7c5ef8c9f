//! The checksums that Postgres keeps in its pages, checked in what a backup holds.

mod checksum;
mod log_lookup;
mod page_check;
mod relation_file;
mod report;
mod verify;

pub use report::{DamagedPage, PageReport};

pub(super) use relation_file::Relation;
use relation_file::RelationFile;
pub(super) use verify::verify_pages;
