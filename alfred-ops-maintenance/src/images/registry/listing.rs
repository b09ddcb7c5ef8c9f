//! Which images a registry has.

use std::collections::{BTreeMap, BTreeSet};

use alfred_ops_core::http::{Answer, Endpoint};
use alfred_ops_core::{Error, ErrorKind, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use reqwest::header::LINK;
use serde::Deserialize;

use super::Registry;
use super::manifest::Manifest;
use super::names::{check_repository, check_tag};
use super::wire::Ask;
use crate::images::image_store::IMAGES_MAX;
use crate::{ImageListing, ImageTag, ImageView};

/// What is asked for at once. Registries of Debian refuse more than a thousand.
const PAGE: &str = "500";
const PAGES_MAX: usize = 10_000;
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
struct Page {
    repositories: Option<Vec<String>>,
    tags: Option<Vec<String>>,
}

impl Registry {
    pub(super) async fn look(&self, known: &[String]) -> Result<ImageListing> {
        self.forget();
        let mut repositories = self.repositories.clone();
        if repositories.is_empty() {
            repositories = self.catalog().await?;
        }
        let mut listing = ImageListing::default();
        for repository in repositories {
            let digests = known.iter().filter_map(|id| id.rsplit_once('@'));
            let digests = digests.filter(|(of, _)| *of == repository).map(|(_, digest)| digest.to_owned());
            match self.look_at(&repository, digests.collect()).await {
                Ok(images) => listing.images.extend(images),
                // Others may be looked after all the same.
                Err(error) if is_its_own(&error) => {
                    listing.missing.push(format!("{repository} is not looked after: {}", error.full()));
                }
                Err(error) => return Err(error),
            }
            if listing.images.len() > IMAGES_MAX {
                return Err(too_many(self.wire.root()));
            }
        }
        Ok(listing)
    }

    async fn catalog(&self) -> Result<Vec<String>> {
        let endpoint = self.wire.root().below(&["v2", "_catalog"]);
        let names = self.pages("list repositories", &endpoint, "registry:catalog:*").await?;
        let names = names.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "list repositories", "the registry does not list them")
                .with_target(endpoint.shown())
                .with_remedy("name the repositories by with_repository")
        })?;
        names.iter().try_for_each(|name| check_repository(name))?;
        Ok(names)
    }

    /// What all tags of a repository mean now. A tag that vanishes meanwhile is none.
    pub(super) async fn read_tags(&self, repository: &str) -> Result<BTreeMap<String, String>> {
        let endpoint = self.endpoint(repository, &["tags", "list"]);
        let scope = format!("repository:{repository}:pull");
        let tags = self.pages("list tags", &endpoint, &scope).await?.unwrap_or_default();
        tags.iter().try_for_each(|tag| check_tag(tag))?;
        let read = stream::iter(tags).map(|tag| async move {
            let fetched = self.fetch(repository, &tag).await?;
            Ok::<_, Error>(fetched.map(|fetched| (tag, fetched.manifest.digest.clone())))
        });
        let read: Vec<Option<(String, String)>> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn look_at(&self, repository: &str, mut open: Vec<String>) -> Result<Vec<ImageView>> {
        let tags = self.read_tags(repository).await?;
        open.extend(tags.values().cloned());
        let mut views: BTreeMap<String, ImageView> = BTreeMap::new();
        let mut about: Vec<(String, String)> = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        while let Some(digest) = open.pop() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let Some(manifest) = self.manifest(repository, &digest).await? else { continue };
            open.extend(manifest.parts.iter().cloned());
            about.extend(manifest.subject.iter().map(|subject| (subject.clone(), digest.clone())));
            views.insert(digest, view(repository, &manifest));
            if views.len() > IMAGES_MAX {
                return Err(too_many(self.wire.root()));
            }
        }
        for (tag, digest) in &tags {
            if let Some(view) = views.get_mut(digest) {
                view.tags.push(ImageTag::new(&format!("{}/{repository}", self.host), tag));
            }
            about.extend(subject_of(tag).map(|subject| (subject, digest.clone())));
        }
        // A signature stays with what it signs.
        for (subject, digest) in about {
            if let Some(view) = views.get_mut(&subject) {
                view.needs.push(format!("{repository}@{digest}"));
            }
        }
        Ok(views.into_values().collect())
    }

    /// All pages of a listing; none if the registry does not know it.
    async fn pages(
        &self,
        operation: &'static str,
        first: &Endpoint,
        scope: &str,
    ) -> Result<Option<Vec<String>>> {
        let (mut entries, mut next) = (Vec::new(), Some(first.with_query("n", PAGE)));
        for _ in 0..PAGES_MAX {
            let Some(endpoint) = next else { return Ok(Some(entries)) };
            let ask = Ask { operation, method: Method::GET, endpoint: &endpoint, payload: None, scope };
            let answer = self.wire.ask(&ask).await?;
            match answer.status.as_u16() {
                200 => {}
                404 => return Ok(None),
                _ => return Err(self.wire.unexpected(&ask, &answer)),
            }
            let page: Page = serde_json::from_slice(&answer.body).map_err(|source| {
                Error::new(ErrorKind::Corrupt, operation, "the answer is not of the expected form")
                    .with_target(endpoint.shown())
                    .with_remedy("name the URL of a registry")
                    .with_source(source)
            })?;
            entries.extend(page.repositories.into_iter().chain(page.tags).flatten());
            if entries.len() > IMAGES_MAX {
                return Err(too_many(&endpoint));
            }
            next = next_page(operation, &endpoint, &answer)?;
        }
        Err(too_many(first))
    }
}

fn view(repository: &str, manifest: &Manifest) -> ImageView {
    let mut view = ImageView::new(&format!("{repository}@{}", manifest.digest));
    view.digests.extend(manifest.config.clone());
    view.layers = manifest.layers.clone();
    view.needs = manifest.parts.iter().map(|part| format!("{repository}@{part}")).collect();
    view.is_index = manifest.is_index;
    view
}

/// What a tag is about, where tags stand for references: `sha256-DIGEST`, `sha256-DIGEST.sig`.
fn subject_of(tag: &str) -> Option<String> {
    let hex = tag.strip_prefix("sha256-")?.get(..64)?;
    let digest = format!("sha256:{hex}");
    crate::images::image_ref::is_digest(&digest).then_some(digest)
}

/// Whether an error says nothing about other repositories.
fn is_its_own(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::Corrupt | ErrorKind::InvalidInput
    )
}

/// The page that a `Link` header names. It is the same registry's, for the credentials go there.
fn next_page(operation: &'static str, endpoint: &Endpoint, answer: &Answer) -> Result<Option<Endpoint>> {
    let Some(link) = answer.headers.get(LINK).and_then(|link| link.to_str().ok()) else { return Ok(None) };
    let target = link.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(target, _)| target);
    let url = endpoint.url();
    let joined = target.and_then(|target| url.join(target).ok());
    match joined.filter(|joined| joined.origin() == url.origin()) {
        Some(joined) if joined == url => {
            Err(Error::new(ErrorKind::Corrupt, operation, "the next page is the same again")
                .with_target(endpoint.shown())
                .with_remedy("look into the registry's log"))
        }
        Some(joined) => Endpoint::public(joined.as_str(), operation).map(Some),
        None => Err(Error::new(ErrorKind::Corrupt, operation, "the next page lies elsewhere")
            .with_target(endpoint.shown())
            .with_remedy("let the registry know its own address")),
    }
}

fn too_many(endpoint: &Endpoint) -> Error {
    Error::new(
        ErrorKind::ResourceExhausted,
        "look at images",
        format!("there are more than {IMAGES_MAX} images"),
    )
    .with_target(endpoint.shown())
    .with_remedy("look after some repositories by with_repository")
}
