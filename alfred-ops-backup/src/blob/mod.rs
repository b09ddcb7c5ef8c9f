//! Where backups rest: named immutable byte strings.

mod info;
mod local;
mod memory;
#[cfg(feature = "s3")]
mod s3;
mod store;

pub use info::BlobInfo;
pub use local::LocalBlobStore;
pub use memory::MemoryBlobStore;
#[cfg(feature = "s3")]
pub use s3::{S3BlobStore, S3Options};
pub use store::BlobStore;
#[cfg(any(test, feature = "testing"))]
pub use store::MockBlobStore;

pub(crate) use store::check_key;
