//! What a manifest says.

use alfred_ops_core::{Error, ErrorKind, Result};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

use crate::ImageLayer;
use crate::images::image_ref::is_digest;

/// What is asked for. What is not named here may be converted by the registry, and would have another digest.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// As large as registries allow.
pub(super) const MANIFEST_BYTES_MAX: usize = 4 << 20;

/// An image, or an index of images, as far as its keeping is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The digest of its bytes.
    pub(super) digest: String,
    /// The digest of its configuration, by which an engine knows the image.
    pub(super) config: Option<String>,
    /// All that it is stored in, itself among it.
    pub(super) layers: Vec<ImageLayer>,
    /// The manifests of an index.
    pub(super) parts: Vec<String>,
    pub(super) is_index: bool,
    /// The manifest that this one is about, such as what a signature signs.
    pub(super) subject: Option<String>,
    /// Its media type, where it says it itself.
    pub(super) media_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    size: u64,
}

impl Manifest {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let own = digest_of(bytes);
        let odd = |what: &str| {
            Error::new(ErrorKind::Unsupported, "read manifest", what)
                .with_target(own.clone())
                .with_remedy("push the image again in the form of OCI, or with a current Docker")
        };
        let body: Body = serde_json::from_slice(bytes)
            .map_err(|source| odd("it is no manifest of an image or index").with_source(source))?;
        let is_index = body.manifests.is_some();
        if !is_index && body.config.is_none() {
            return Err(odd("it is of a form that is older than OCI's"));
        }
        let parts: Vec<String> = body.manifests.into_iter().flatten().map(|part| part.digest).collect();
        let config = body.config.as_ref().map(|config| config.digest.clone());
        let stored = body.config.into_iter().chain(body.layers.into_iter().flatten());
        let mut layers: Vec<ImageLayer> =
            stored.map(|layer| ImageLayer { digest: layer.digest, bytes: layer.size }).collect();
        let subject = body.subject.map(|subject| subject.digest);
        let named = layers.iter().map(|layer| &layer.digest).chain(&parts).chain(&subject);
        if let Some(other) = named.into_iter().find(|digest| !is_digest(digest)) {
            let shown: String = other.chars().take(100).collect();
            return Err(odd(&format!("it names {shown:?}, which is no SHA-256 digest")));
        }
        layers.push(ImageLayer::new(&own, u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        Ok(Self { config, layers, parts, is_index, subject, media_type: body.media_type, digest: own })
    }
}

pub(super) fn digest_of(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    hash.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_and_others_refused() {
        let digest = digest_of(b"");
        assert_eq!(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let image = format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"{digest}","size":2}},"layers":[{{"digest":"{digest}","size":7}}]}}"#
        );
        let read = Manifest::read(image.as_bytes()).unwrap();
        assert_eq!((read.config.as_deref(), read.is_index), (Some(&*digest), false));
        assert_eq!(read.layers.iter().map(|layer| layer.bytes).sum::<u64>(), 9 + image.len() as u64);
        let index = format!(r#"{{"manifests":[{{"digest":"{digest}"}}],"subject":{{"digest":"{digest}"}}}}"#);
        let read = Manifest::read(index.as_bytes()).unwrap();
        assert_eq!((read.parts, read.is_index, read.subject), (vec![digest.clone()], true, Some(digest)));
        let old = r#"{"schemaVersion":1,"fsLayers":[]}"#;
        for body in ["", "[]", "{}", old, r#"{"manifests":[{"digest":"sha512:00"}]}"#] {
            assert_eq!(Manifest::read(body.as_bytes()).unwrap_err().kind(), ErrorKind::Unsupported, "{body}");
        }
    }
}
