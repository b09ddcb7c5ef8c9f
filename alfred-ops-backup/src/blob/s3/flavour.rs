//! Whose dialect of S3 a server speaks.

/// Whose dialect of S3 a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum S3Flavour {
    /// Amazon's: the bucket in the host's name, checksums on every request.
    #[default]
    Aws,
    /// MinIO, Ceph and the like: the bucket in the path, and checksums only where the protocol
    /// requires them, since many servers know no newer ones.
    Compatible,
    /// Google Cloud Storage's interoperable interface, with HMAC keys: as [`Compatible`](Self::Compatible), but
    /// `create` rests on Google's generation precondition and is always a single request.
    Gcs,
    /// SeaweedFS: as [`Compatible`](Self::Compatible), but it lists folder by folder (`b/1` before `b-x`, where the
    /// order of bytes is the other way round), so that each listing reads all keys below its prefix and sorts
    /// them here. Under another flavour such a listing is refused, since a page may lack keys. `create` is always
    /// a single request: of two rivals that complete multipart uploads at once, version 4.48 may let both win.
    SeaweedFs,
}
