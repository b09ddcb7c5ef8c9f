//! How an image is called.

use std::fmt;
use std::str::FromStr;

use alfred_ops_core::{Error, ErrorKind, Result};

/// Longer than any name that a registry takes.
const BYTES_MAX: usize = 1024;
const DIGEST_START: &str = "sha256:";

/// How an image is called by those who use it: a repository with a tag, a digest, or both, or a digest alone.
///
/// ```
/// use alfred_ops_maintenance::ImageRef;
///
/// let image: ImageRef = "nginx".parse()?;
/// assert_eq!((image.repository(), image.tag()), (Some("docker.io/library/nginx"), Some("latest")));
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    repository: Option<String>,
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageRef {
    /// Its repository with its host, none if it is called by a digest alone.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }

    /// Its tag; `latest` where neither tag nor digest was named.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Its digest, with `sha256:`.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// An image called by its digest alone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is no SHA-256 digest.
    pub fn of_digest(digest: &str) -> Result<Self> {
        if !is_digest(digest) {
            return Err(refused(digest, "the digest is not sha256: with 64 hexadecimal digits"));
        }
        Ok(Self { repository: None, tag: None, digest: Some(digest.to_owned()) })
    }
}

impl FromStr for ImageRef {
    type Err = Error;

    /// Reads what `docker run` takes, and what Kubernetes reports as `imageID`.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused(text, "it is not of visible ASCII, or too long"));
        }
        // Kubelets of Docker write `docker-pullable://` and `docker://`.
        let name = text.split_once("://").map_or(text, |(_, name)| name);
        if is_digest(name) {
            return Self::of_digest(name);
        }
        if is_hex(name) {
            return Self::of_digest(&format!("{DIGEST_START}{name}"));
        }
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(Self::of_digest(digest)?)),
            None => (name, None),
        };
        // A colon before the last slash is that of a port.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (name, None),
        };
        if repository.is_empty() || repository.split('/').any(str::is_empty) || tag == Some("") {
            return Err(refused(text, "a part of its name is empty"));
        }
        let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
        Ok(Self {
            repository: Some(full_name(repository)),
            tag: tag.map(str::to_owned),
            digest: digest.and_then(|digest| digest.digest),
        })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.repository().unwrap_or_default())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        match (self.digest(), self.repository()) {
            (Some(digest), Some(_)) => write!(f, "@{digest}"),
            (Some(digest), None) => f.write_str(digest),
            (None, _) => Ok(()),
        }
    }
}

/// Whether the text is a digest that we can check.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix(DIGEST_START).is_some_and(is_hex)
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a repository is called without its host. The same repository has many hosts: mirrors, addresses within a cluster,
/// loopback, and none on the host where it was built.
pub(super) fn path_of(repository: &str) -> String {
    let full = full_name(repository);
    let path = full.split_once('/').map_or(full.as_str(), |(_, path)| path);
    path.strip_prefix("library/").unwrap_or(path).to_owned()
}

/// A repository as Docker understands it: what names no host lies at Docker Hub.
fn full_name(repository: &str) -> String {
    let host = repository.split_once('/').map(|(first, _)| first);
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
    match host {
        Some("index.docker.io") => full_name(&repository["index.docker.io/".len()..]),
        Some("docker.io") if repository.matches('/').count() == 1 => {
            format!("docker.io/library/{}", &repository["docker.io/".len()..])
        }
        Some(first) if is_host(first) => repository.to_owned(),
        Some(_) => format!("docker.io/{repository}"),
        None => format!("docker.io/library/{repository}"),
    }
}

fn refused(text: &str, what: &str) -> Error {
    let shown: String = text.chars().take(200).collect();
    Error::new(ErrorKind::InvalidInput, "read image name", what)
        .with_target(format!("{shown:?}"))
        .with_remedy("write repository:tag, repository@sha256:… or sha256:…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str, path: Option<&str>) {
        let image: ImageRef = text.parse().unwrap();
        assert_eq!(image.to_string(), shown);
        assert_eq!(image.repository().map(path_of).as_deref(), path, "{text}");
        assert_eq!(shown.parse::<ImageRef>().unwrap(), image);
    }

    #[test]
    fn one_image_has_many_names() {
        let digest = format!("sha256:{}", "a1".repeat(32));
        check("nginx", "docker.io/library/nginx:latest", Some("nginx"));
        check("docker.io/nginx:1", "docker.io/library/nginx:1", Some("nginx"));
        check("index.docker.io/a/b", "docker.io/a/b:latest", Some("a/b"));
        check("a/b:v1.0.0", "docker.io/a/b:v1.0.0", Some("a/b"));
        check("localhost/a", "localhost/a:latest", Some("a"));
        check("r:5000/a/b", "r:5000/a/b:latest", Some("a/b"));
        check(&format!("r:5000/a:x@{digest}"), &format!("r:5000/a:x@{digest}"), Some("a"));
        check(&format!("docker-pullable://a@{digest}"), &format!("docker.io/library/a@{digest}"), Some("a"));
        check(&format!("docker://{digest}"), &digest, None);
        check(&"a1".repeat(32), &digest, None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a b", "a:", ":x", "a//b", "a@sha256:1", "a@sha512:ff", &"x".repeat(2000)] {
            let error = text.parse::<ImageRef>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        }
    }
}
