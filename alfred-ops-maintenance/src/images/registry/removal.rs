//! Removes an image from a registry.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use reqwest::Method;

use super::Registry;
use super::registry::Reading;
use super::wire::Ask;
use crate::{ImageRemoval, ImageTag, ImageView};

/// What all tags of a repository mean is read again after this time.
const READING_FRESH: Duration = Duration::from_secs(5);

impl Registry {
    pub(super) async fn remove_image(&self, image: &ImageView) -> Result<ImageRemoval> {
        let Some((repository, digest)) = image.id.rsplit_once('@') else {
            return Err(Error::new(ErrorKind::InvalidInput, "remove image", "it is none of this registry")
                .with_target(image.id.clone())
                .with_remedy("hand over what this registry listed"));
        };
        let own: BTreeSet<&str> = image.tags.iter().map(|tag| tag.tag.as_str()).collect();
        for (tag, of) in self.fresh_tags(repository).await? {
            if !own.contains(tag.as_str()) && self.reaches(repository, of, digest).await? {
                return Ok(ImageRemoval::Stays(format!(
                    "the tag {tag} means it now, or an index that holds it"
                )));
            }
        }
        for tag in own {
            if let Some(now) = self.fetch(repository, tag).await?
                && now.manifest.digest != digest
            {
                return Ok(ImageRemoval::Stays(format!(
                    "the tag {tag} was moved to {}",
                    now.manifest.digest
                )));
            }
        }
        self.check_former(repository, digest, image).await?;
        self.delete(repository, digest).await
    }

    /// A list of tags may leave some out, for the registry's storage or a proxy lost them: those that the image had are asked for
    /// themselves.
    async fn check_former(&self, repository: &str, digest: &str, image: &ImageView) -> Result<()> {
        for ImageTag { tag, .. } in image.former_tags.iter().filter(|former| !image.tags.contains(former)) {
            let Some(now) = self.fetch(repository, tag).await? else { continue };
            if self.reaches(repository, now.manifest.digest.clone(), digest).await?
                && !self.fresh_tags(repository).await?.iter().any(|(listed, _)| listed == tag)
            {
                let what =
                    format!("the registry's list of tags leaves out {tag}, which still means this image");
                return Err(Error::new(ErrorKind::Corrupt, "remove image", what)
                    .with_target(image.id.clone())
                    .with_remedy("check the registry's storage, and what lies between it and here"));
            }
        }
        Ok(())
    }

    async fn fresh_tags(&self, repository: &str) -> Result<Vec<(String, String)>> {
        let mut reading = self.reading.lock().await;
        let now = self.wire.clock().monotonic();
        let fresh = reading.as_ref().filter(|reading| {
            reading.repository == repository && now.saturating_sub(reading.at) < READING_FRESH
        });
        let tags = match fresh {
            Some(reading) => reading.tags.clone(),
            None => {
                let tags = self.read_tags(repository).await?;
                let read = Reading { repository: repository.to_owned(), at: now, tags: tags.clone() };
                *reading = Some(read);
                tags
            }
        };
        Ok(tags.into_iter().collect())
    }

    /// Whether a manifest is the wanted one, or an index that holds it at any depth.
    async fn reaches(&self, repository: &str, from: String, wanted: &str) -> Result<bool> {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(digest) = open.pop() {
            if digest == wanted {
                return Ok(true);
            }
            if seen.insert(digest.clone())
                && let Some(manifest) = self.manifest(repository, &digest).await?
            {
                open.extend(manifest.parts.iter().cloned());
            }
        }
        Ok(false)
    }

    async fn delete(&self, repository: &str, digest: &str) -> Result<ImageRemoval> {
        let endpoint = self.endpoint(repository, &["manifests", digest]);
        let scope = format!("repository:{repository}:pull,delete");
        let ask = Ask {
            operation: "remove image",
            method: Method::DELETE,
            endpoint: &endpoint,
            payload: None,
            scope: &scope,
        };
        let answer = self.wire.ask(&ask).await?;
        // What it takes along is not read again: its tags are gone.
        if let Some(reading) = self.reading.lock().await.as_mut() {
            reading.tags.retain(|_, of| of != digest);
        }
        match answer.status.as_u16() {
            200 | 202 | 204 => Ok(ImageRemoval::Removed),
            404 => Ok(ImageRemoval::Vanished),
            405 => Err(Error::new(ErrorKind::Unsupported, ask.operation, "the registry does not let anything be removed")
                .with_target(endpoint.shown())
                .with_remedy(
                    "set storage.delete.enabled to true in its configuration (REGISTRY_STORAGE_DELETE_ENABLED=true), \
                     and end its read-only mode",
                )),
            _ => Err(self.wire.unexpected(&ask, &answer)),
        }
    }
}
