//! What is rolled out.

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What is rolled out: an image, as a revision of its own name. All else the candidate takes from the stable revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Release {
    /// The candidate's name. No revision of this name may exist.
    pub revision: String,
    /// The image that it runs, best by digest.
    pub image: String,
}

impl Release {
    /// A release of `image` as `revision`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name that is not of lower-case letters, digits and inner hyphens, led by a letter, at
    /// most 63; or an image that is empty, longer than 512 bytes or not of visible ASCII.
    pub fn new(revision: impl Into<String>, image: impl Into<String>) -> Result<Self> {
        let (revision, image) = (revision.into(), image.into());
        let good = revision.len() <= 63
            && revision.starts_with(|first: char| first.is_ascii_lowercase())
            && !revision.ends_with('-')
            && revision
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !good {
            let fault = format!("revision: {revision:?} is no name");
            return Err(Error::new(ErrorKind::InvalidInput, "name release", fault)
                .with_remedy("use at most 63 lower-case letters, digits and hyphens, led by a letter"));
        }
        if image.is_empty() || image.len() > 512 || !image.bytes().all(|byte| byte.is_ascii_graphic()) {
            let fault = format!("image: {image:?} is no reference of an image");
            return Err(Error::new(ErrorKind::InvalidInput, "name release", fault)
                .with_remedy("give registry/repository@sha256:digest"));
        }
        Ok(Self { revision, image })
    }
}
