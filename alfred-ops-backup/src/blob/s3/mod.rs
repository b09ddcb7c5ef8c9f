//! A blob store in an S3 bucket.

mod failure;
mod flavour;
mod listing;
mod multipart;
mod object_lock;
mod options;
mod store;

pub use flavour::S3Flavour;
pub use object_lock::{ObjectLock, ObjectLockMode};
pub use options::S3Options;
pub use store::S3BlobStore;
