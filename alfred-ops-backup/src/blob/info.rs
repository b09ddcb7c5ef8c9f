//! What a listing says of a blob.

/// What a listing says of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// The blob's full key.
    pub key: String,
    /// Its length in bytes.
    pub bytes: u64,
}
