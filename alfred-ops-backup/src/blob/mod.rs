//! Where backups rest: named immutable byte strings.

mod create_once;
mod info;
mod local;
mod memory;
mod mirrored;
mod prefixed;
mod probe;
mod retrying;
#[cfg(feature = "s3")]
mod s3;
mod store;
mod throttled;

pub use info::BlobInfo;
pub use local::LocalBlobStore;
pub use memory::MemoryBlobStore;
pub use mirrored::{MirrorRepair, MirroredBlobStore};
pub use prefixed::PrefixedBlobStore;
pub use probe::{CreateOnce, probe_conditional_writes};
pub use retrying::RetryingBlobStore;
#[cfg(feature = "s3")]
pub use s3::{ObjectLock, ObjectLockMode, S3BlobStore, S3Flavour, S3Options};
pub use store::BlobStore;
#[cfg(any(test, feature = "testing"))]
pub use store::MockBlobStore;
pub use throttled::{Throttle, ThrottledBlobStore};

pub(crate) use store::check_key;
