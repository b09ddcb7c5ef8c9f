//! Tags of a registry.

use alfred_ops_core::http::Payload;
use alfred_ops_core::{Error, ErrorKind, Result};
use reqwest::Method;

use super::Registry;
use super::names::{check_repository, check_tag};
use super::registry::Fetched;
use super::wire::Ask;
use crate::images::image_ref::is_digest;
use crate::images::stable_version::StableVersion;

const OPERATION: &str = "tag image";
const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What became of tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagReport {
    /// The tags that were set, each with the digest that it had, if it was not new.
    pub set: Vec<(String, Option<String>)>,
    /// The tags that meant the image before.
    pub unchanged: Vec<String>,
}

/// A tag that is set.
struct Change<'a> {
    tag: &'a str,
    before: Option<Fetched>,
}

impl Registry {
    /// Gives an image tags such as `v1.4.0`, `stable` and `latest`. After `Ok` all of them were read back and mean it.
    ///
    /// A version `vX.Y.Z` never moves to another image. If anything fails, tags that had another image get it back, unless
    /// somebody else has moved them meanwhile; a new tag stays, for it means the image that it should. May be repeated. After a
    /// drop some tags may be set: repeat it. Two that tag at the same time are told by what they read back.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if a version is another image's, [`ErrorKind::NotFound`] if there is no such image, with
    /// nothing changed; [`ErrorKind::Conflict`] if a tag means something else after it was set; those of requests. Which tags
    /// were given back is said.
    pub async fn tag(&self, repository: &str, digest: &str, tags: &[&str]) -> Result<TagReport> {
        check_repository(repository)?;
        tags.iter().try_for_each(|tag| check_tag(tag))?;
        let missing = |what: &str, kind| {
            Error::new(kind, OPERATION, what.to_owned()).with_target(format!("{repository}@{digest}"))
        };
        if !is_digest(digest) {
            return Err(missing(
                "the digest is not sha256: with 64 hexadecimal digits",
                ErrorKind::InvalidInput,
            )
            .with_remedy("name the digest that was pushed"));
        }
        let Some(image) = self.fetch(repository, digest).await? else {
            return Err(missing("there is no such image", ErrorKind::NotFound).with_remedy("push it first"));
        };
        let (mut changes, report) = self.changes(repository, digest, tags).await?;
        // What can be given back is set first.
        changes.sort_by_key(|change| change.before.is_none());
        for done in 0..changes.len() {
            if let Err(error) = self.set(repository, changes[done].tag, &image).await {
                return Err(self.give_back(repository, digest, &changes[..=done], error).await);
            }
        }
        for change in &changes {
            if let Err(error) = self.check(repository, digest, change.tag).await {
                return Err(self.give_back(repository, digest, &changes, error).await);
            }
        }
        let set = changes.into_iter().map(|change| {
            (change.tag.to_owned(), change.before.map(|before| before.manifest.digest.clone()))
        });
        Ok(TagReport { set: set.collect(), ..report })
    }

    /// What has to be set, and what is set already.
    async fn changes<'a>(
        &self,
        repository: &str,
        digest: &str,
        tags: &[&'a str],
    ) -> Result<(Vec<Change<'a>>, TagReport)> {
        let (mut changes, mut report) = (Vec::<Change<'_>>::new(), TagReport::default());
        for &tag in tags {
            let before = self.fetch(repository, tag).await?;
            match &before {
                Some(before) if before.manifest.digest == digest => report.unchanged.push(tag.to_owned()),
                Some(before) if StableVersion::of_tag(tag).is_some() => {
                    let what =
                        format!("the version means {}, and versions do not move", before.manifest.digest);
                    return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, what)
                        .with_target(format!("{repository}:{tag}"))
                        .with_remedy("release it under a new version"));
                }
                _ if changes.iter().all(|change| change.tag != tag) => changes.push(Change { tag, before }),
                _ => {}
            }
        }
        Ok((changes, report))
    }

    async fn set(&self, repository: &str, tag: &str, image: &Fetched) -> Result<()> {
        let endpoint = self.endpoint(repository, &["manifests", tag]);
        let scope = format!("repository:{repository}:pull,push");
        let content_type = match image.manifest.media_type.as_deref() {
            Some(MANIFEST_LIST) => MANIFEST_LIST,
            Some(DOCKER_IMAGE) => DOCKER_IMAGE,
            _ if image.manifest.is_index => OCI_INDEX,
            _ => OCI_IMAGE,
        };
        let ask = Ask {
            operation: OPERATION,
            method: Method::PUT,
            endpoint: &endpoint,
            payload: Some(Payload { content_type, bytes: &image.bytes }),
            scope: &scope,
        };
        let answer = self.wire.ask(&ask).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.wire.unexpected(&ask, &answer)) }
    }

    async fn check(&self, repository: &str, digest: &str, tag: &str) -> Result<()> {
        let now = self.fetch(repository, tag).await?;
        if now.as_ref().is_some_and(|now| now.manifest.digest == digest) {
            return Ok(());
        }
        let what = match now {
            Some(now) => format!("after it was set it means {}", now.manifest.digest),
            None => "after it was set it is not there".to_owned(),
        };
        Err(Error::new(ErrorKind::Conflict, OPERATION, what)
            .with_target(format!("{repository}:{tag}"))
            .with_remedy("look who else sets it, and repeat"))
    }

    /// Gives tags the images that they had, and adds to the error what became of them.
    async fn give_back(&self, repository: &str, digest: &str, changes: &[Change<'_>], error: Error) -> Error {
        let mut said = Vec::new();
        for Change { tag, before } in changes {
            let now = match self.fetch(repository, tag).await {
                Ok(now) => now.map(|now| now.manifest.digest.clone()),
                Err(_) => {
                    said.push(format!("nobody knows what {tag} means"));
                    continue;
                }
            };
            if now.as_deref() != Some(digest) {
                continue;
            }
            let Some(before) = before else {
                said.push(format!("{tag} is new and stays"));
                continue;
            };
            let given = match self.set(repository, tag, before).await {
                Ok(()) => self.check(repository, &before.manifest.digest, tag).await,
                failed => failed,
            };
            said.push(match given {
                Ok(()) => format!("{tag} was given back"),
                Err(error) => format!("{tag} could not be given back ({error})"),
            });
        }
        let said = if said.is_empty() { "no tag was changed".to_owned() } else { said.join(", ") };
        let retry = error.retry();
        Error::new(error.kind(), OPERATION, said)
            .with_target(format!("{repository}@{digest}"))
            .with_remedy("mend what failed, and repeat")
            .with_retry(retry)
            .with_source(error)
    }
}
