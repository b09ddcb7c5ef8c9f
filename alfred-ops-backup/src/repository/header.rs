//! The object that makes a store a repository.

use alfred_ops_core::{Error, ErrorKind, Id, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The format that this version reads and writes.
const FORMAT: u32 = 1;

/// The content of `repository.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: u32,
    pub(super) id: Id,
    pub(super) created_at: DateTime<Utc>,
    pub(super) encryption: Option<Encryption>,
}

/// How a repository's frames are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Encryption {
    pub(super) cipher: CipherName,
    /// The fingerprint of the data key, which is wrapped by the objects below `keys/`.
    pub(super) data_key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CipherName {
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
}

impl Header {
    pub(super) const fn new(id: Id, created_at: DateTime<Utc>, encryption: Option<Encryption>) -> Self {
        Self { format: FORMAT, id, created_at, encryption }
    }

    pub(super) fn parse(json: &[u8], location: &str) -> Result<Self> {
        /// Read first: other versions may hold other fields.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let broken = |source| {
            Error::new(ErrorKind::Corrupt, "open repository", "repository.json is not what alfred-ops writes")
                .with_target(location)
                .with_source(source)
        };
        let version: Version = serde_json::from_slice(json).map_err(broken)?;
        if version.format != FORMAT {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "open repository",
                format!("its format is {}, this version knows {FORMAT}", version.format),
            )
            .with_target(location)
            .with_remedy("use the version of alfred-ops that wrote it"));
        }
        serde_json::from_slice(json).map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_versions_are_named() {
        let error = Header::parse(br#"{"format": 7, "key": "x"}"#, "memory:").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("format is 7"), "{error}");
        assert_eq!(Header::parse(b"{}", "memory:").unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
