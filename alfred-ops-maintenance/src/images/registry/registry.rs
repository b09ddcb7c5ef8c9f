//! A registry.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_core::http::{Endpoint, HttpOptions};
use alfred_ops_core::{Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;
use reqwest::Method;

use super::manifest::{Manifest, digest_of};
use super::names::{check_repository, check_tag};
use super::wire::{Ask, Wire};
use crate::images::image_ref::is_digest;
use crate::{ImageListing, ImageRemoval, ImageStore, ImageView};

/// The images of a registry that speaks OCI's distribution API.
///
/// Every manifest is checked against its digest. An image is removed by its digest only, right after all tags of its repository
/// were read again; a registry knows no conditional removal, so whoever tags an old image anew within these seconds may lose it.
/// Bytes become free when the registry collects its garbage. Images without a tag are known if they had one, or belonged to an
/// index, when they were first seen.
///
/// The credentials need the right `repository:NAME:pull,delete` for each repository, `push` for tags, and `registry:catalog:*`
/// where no repositories are named. Clones of what an engine calls `host/name:tag` are recognised whatever the host's name.
#[derive(Debug)]
pub struct Registry {
    pub(super) name: String,
    /// What its repositories are called by engines.
    pub(super) host: String,
    pub(super) wire: Wire,
    pub(super) repositories: Vec<String>,
    manifests: Mutex<HashMap<(String, String), Arc<Manifest>>>,
    pub(super) reading: tokio::sync::Mutex<Option<Reading>>,
}

/// What the tags of a repository meant at one time.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) repository: String,
    pub(super) at: Duration,
    pub(super) tags: BTreeMap<String, String>,
}

/// A manifest as it was read.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) manifest: Arc<Manifest>,
    pub(super) bytes: Vec<u8>,
}

impl Registry {
    /// The registry at `url`, such as `https://registry.example`. `name` is unique among all registries. Nothing happens before
    /// a call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the URL or the options cannot be used.
    pub fn new(name: &str, url: &str, http: &HttpOptions, clock: SharedClock) -> Result<Self> {
        let wire = Wire::new(url, http, clock)?;
        let root = wire.root().url();
        let bare = root.host_str().unwrap_or_default();
        let host = match root.port() {
            Some(port) => format!("{bare}:{port}"),
            // Else engines would not take it for a host.
            None if !bare.contains('.') => {
                format!("{bare}:{}", root.port_or_known_default().unwrap_or_default())
            }
            None => bare.to_owned(),
        };
        let (repositories, manifests, reading) =
            (Vec::new(), Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self { name: name.to_owned(), host, wire, repositories, manifests, reading })
    }

    /// Looks after this repository and others that are named, and not after all.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name of a repository.
    pub fn with_repository(mut self, repository: &str) -> Result<Self> {
        check_repository(repository)?;
        self.repositories.push(repository.to_owned());
        Ok(self)
    }

    pub(super) fn endpoint(&self, repository: &str, last: &[&str]) -> Endpoint {
        let path: Vec<&str> =
            std::iter::once("v2").chain(repository.split('/')).chain(last.iter().copied()).collect();
        self.wire.root().below(&path)
    }

    /// The manifest of a tag or digest; none if there is none. It is what it says it is: else an error.
    pub(super) async fn fetch(&self, repository: &str, reference: &str) -> Result<Option<Fetched>> {
        let is_tag = !is_digest(reference);
        if is_tag {
            check_tag(reference)?;
        }
        let endpoint = self.endpoint(repository, &["manifests", reference]);
        let scope = format!("repository:{repository}:pull");
        let ask = Ask {
            operation: "read manifest",
            method: Method::GET,
            endpoint: &endpoint,
            payload: None,
            scope: &scope,
        };
        let answer = self.wire.ask(&ask).await?;
        match answer.status.as_u16() {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.wire.unexpected(&ask, &answer)),
        }
        let digest = digest_of(&answer.body);
        let said = answer.headers.get("docker-content-digest").and_then(|said| said.to_str().ok());
        if !is_tag && digest != reference || said.is_some_and(|said| said != digest) {
            let what = format!("what was sent has the digest {digest}");
            return Err(Error::new(ErrorKind::Corrupt, "read manifest", what)
                .with_target(endpoint.shown())
                .with_remedy("check the registry's storage, and what lies between it and here"));
        }
        let manifest =
            Arc::new(Manifest::read(&answer.body).map_err(|error| error.with_target(endpoint.shown()))?);
        let key = (repository.to_owned(), digest);
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&manifest));
        Ok(Some(Fetched { manifest, bytes: answer.body }))
    }

    /// A manifest by its digest, which was read before or is read now.
    pub(super) async fn manifest(&self, repository: &str, digest: &str) -> Result<Option<Arc<Manifest>>> {
        let key = (repository.to_owned(), digest.to_owned());
        let known = self.manifests.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        match known {
            Some(known) => Ok(Some(known)),
            None => Ok(self.fetch(repository, digest).await?.map(|fetched| fetched.manifest)),
        }
    }

    pub(super) fn forget(&self) {
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[async_trait]
impl ImageStore for Registry {
    fn name(&self) -> &str {
        &self.name
    }

    async fn list(&self, known: &[String]) -> Result<ImageListing> {
        self.look(known).await
    }

    async fn remove(&self, image: &ImageView) -> Result<ImageRemoval> {
        self.remove_image(image).await
    }
}
