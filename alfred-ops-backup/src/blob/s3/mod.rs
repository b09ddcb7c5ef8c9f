//! A blob store in an S3 bucket.

mod failure;
mod options;
mod store;

pub use options::S3Options;
pub use store::S3BlobStore;
