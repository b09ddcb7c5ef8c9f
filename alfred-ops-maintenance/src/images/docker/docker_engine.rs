//! An engine.

use std::collections::{BTreeSet, HashMap};

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use bollard::errors::Error as EngineError;
use bollard::models::{ContainerSummary, ImageInspect, ImageSummary};
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, RemoveImageOptions};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::failure::{failed, status_of};
use crate::images::image_ref::is_digest;
use crate::{ImageLayer, ImageListing, ImageRef, ImageRemoval, ImageStore, ImageTag, ImageUse, ImageView};

const TIMEOUT_SECONDS: u64 = 60;
/// How an engine calls what has no name.
const NOTHING: &str = "<none>";

/// The images of an engine that speaks Docker's API, from 1.24 on: Docker, or Podman's service.
///
/// Nothing is removed by force, and the engine itself refuses to remove what a container uses, running or not, at the moment
/// of the removal. Untagged parents are not removed along. As an [`ImageUse`] it tells other stores what its containers use.
///
/// The process needs the right to open the engine's socket, which is as good as root: run it where that is accepted.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    name: String,
    address: String,
}

impl DockerEngine {
    /// The engine at `address`: `unix:///var/run/docker.sock`, or `http://host:port` in a network that is trusted. `name` is
    /// unique among all engines, such as the host's name. Nothing happens before a call.
    #[must_use]
    pub fn new(name: &str, address: &str) -> Self {
        Self { name: name.to_owned(), address: address.to_owned() }
    }

    async fn open(&self) -> Result<Docker> {
        let address = self.address.as_str();
        let docker = match address.split_once("://") {
            Some(("unix", path)) => Docker::connect_with_unix(path, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
            Some(("http", _)) => Docker::connect_with_http(address, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "reach engine",
                    "the address is neither unix:// nor http://",
                )
                .with_target(address)
                .with_remedy("write unix:///var/run/docker.sock"));
            }
        };
        let docker = docker.map_err(|error| self.failed("reach engine", error))?;
        docker.negotiate_version().await.map_err(|error| self.failed("reach engine", error))
    }

    async fn containers(&self, docker: &Docker) -> Result<Vec<ContainerSummary>> {
        let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        docker.list_containers(Some(all)).await.map_err(|error| self.failed("list containers", error))
    }

    async fn look(&self, docker: &Docker) -> Result<Vec<ImageView>> {
        let all =
            ListImagesOptions { all: true, shared_size: true, digests: true, ..ListImagesOptions::default() };
        let images =
            docker.list_images(Some(all)).await.map_err(|error| self.failed("list images", error))?;
        // After the images: who began to use one meanwhile is seen.
        let mut users: HashMap<String, Vec<String>> = HashMap::new();
        for container in self.containers(docker).await? {
            let name = name_of(&container);
            users.entry(self.image_of(container)?).or_default().push(name);
        }
        images.into_iter().map(|image| self.view(image, &mut users)).collect()
    }

    fn view(&self, image: ImageSummary, users: &mut HashMap<String, Vec<String>>) -> Result<ImageView> {
        if !is_digest(&image.id) {
            return Err(self.odd(&image.id));
        }
        let mut view = ImageView::new(&image.id);
        for name in image.repo_digests.iter().filter(|name| !name.contains(NOTHING)) {
            let digest = name.rsplit_once('@').map(|(_, digest)| digest).filter(|digest| is_digest(digest));
            view.digests.push(digest.ok_or_else(|| self.odd(name))?.to_owned());
        }
        for name in image.repo_tags.iter().filter(|name| !name.contains(NOTHING)) {
            view.tags.push(self.tag(name)?);
        }
        // Only newer engines tell how much of it is shared.
        let own = if image.shared_size > 0 { image.size - image.shared_size } else { image.size };
        view.layers.push(ImageLayer::new(&image.id, u64::try_from(own).unwrap_or(0)));
        view.needs.extend(Some(image.parent_id).filter(|parent| !parent.is_empty()));
        view.used_by = users.remove(&image.id).unwrap_or_default();
        Ok(view)
    }

    /// A tag. It becomes a part of a path later: an engine that lies must not choose another.
    fn tag(&self, name: &str) -> Result<ImageTag> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte));
        match name.rsplit_once(':') {
            Some((repository, tag)) if plain && !tag.contains('/') && !name.contains("..") => {
                Ok(ImageTag::new(repository, tag))
            }
            _ => Err(self.odd(name)),
        }
    }

    /// The image that a container was made of.
    fn image_of(&self, container: ContainerSummary) -> Result<String> {
        let id = container.image_id.unwrap_or_default();
        if is_digest(&id) { Ok(id) } else { Err(self.odd(&id)) }
    }

    async fn inspect(&self, docker: &Docker, name: &str) -> Result<Option<ImageInspect>> {
        match docker.inspect_image(name).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if matches!(status_of(&error), Some((404, _))) => Ok(None),
            Err(error) => Err(self.failed("look at image", error)),
        }
    }

    async fn delete(&self, docker: &Docker, name: &str) -> Result<ImageRemoval> {
        let options = RemoveImageOptions { force: false, noprune: true, ..RemoveImageOptions::default() };
        match docker.remove_image(name, Some(options), None).await {
            Ok(_) => Ok(ImageRemoval::Removed),
            Err(error) => match status_of(&error) {
                Some((404, _)) => Ok(ImageRemoval::Vanished),
                Some((409, said)) => Ok(ImageRemoval::Stays(said.to_owned())),
                _ => Err(self.failed("remove image", error)),
            },
        }
    }

    fn failed(&self, operation: &'static str, error: EngineError) -> Error {
        failed(operation, &self.address, error)
    }

    fn odd(&self, name: &str) -> Error {
        let shown: String = name.chars().take(200).collect();
        Error::new(ErrorKind::Corrupt, "look at images", format!("{shown:?} is no name of an image"))
            .with_target(&*self.address)
            .with_remedy("name the socket of an engine that speaks Docker's API")
    }
}

fn name_of(container: &ContainerSummary) -> String {
    let name = container.names.iter().flatten().next().or(container.id.as_ref());
    name.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
}

/// All by which the image is called, its tags last. A digest goes with the last tag of its repository.
fn names_of(image: &ImageInspect) -> (Vec<String>, Vec<String>) {
    let named = |names: &Option<Vec<String>>| -> Vec<String> {
        names.iter().flatten().filter(|name| !name.contains(NOTHING)).cloned().collect()
    };
    let tags = named(&image.repo_tags);
    let repositories: BTreeSet<&str> =
        tags.iter().filter_map(|tag| tag.rsplit_once(':')).map(|(repository, _)| repository).collect();
    let mut digests = named(&image.repo_digests);
    digests.retain(|name| {
        name.split_once('@').is_some_and(|(repository, _)| !repositories.contains(repository))
    });
    (digests, tags)
}

#[async_trait]
impl ImageStore for DockerEngine {
    fn name(&self) -> &str {
        &self.name
    }

    async fn list(&self, _: &[String]) -> Result<ImageListing> {
        let docker = self.open().await?;
        Ok(ImageListing { images: self.look(&docker).await?, sees_use: true, missing: Vec::new() })
    }

    async fn remove(&self, image: &ImageView) -> Result<ImageRemoval> {
        let docker = self.open().await?;
        let Some(now) = self.inspect(&docker, &image.id).await? else { return Ok(ImageRemoval::Vanished) };
        let (digests, tags) = names_of(&now);
        for name in &tags {
            if !image.tags.contains(&self.tag(name)?) {
                return Ok(ImageRemoval::Stays(format!("it was given the tag {name}")));
            }
        }
        for container in self.containers(&docker).await? {
            let name = name_of(&container);
            if self.image_of(container)? == image.id {
                return Ok(ImageRemoval::Stays(format!("it is now in use by container {name}")));
            }
        }
        // An image of several names is not removed by its id without force: all but one go first.
        let mut names = digests;
        names.extend(tags);
        names.pop();
        for name in &names {
            let same =
                self.inspect(&docker, name).await?.is_some_and(|now| now.id.as_ref() == Some(&image.id));
            if !same {
                return Ok(ImageRemoval::Stays(format!("{name} was moved")));
            }
            match self.delete(&docker, name).await? {
                ImageRemoval::Removed | ImageRemoval::Vanished => {}
                stays @ ImageRemoval::Stays(_) => return Ok(stays),
            }
        }
        self.delete(&docker, &image.id).await
    }
}

#[async_trait]
impl ImageUse for DockerEngine {
    fn name(&self) -> &str {
        &self.name
    }

    /// The images of all containers, running or not, by every digest and tag that they have here.
    async fn in_use(&self) -> Result<Vec<ImageRef>> {
        let docker = self.open().await?;
        let images = self.look(&docker).await?;
        let mut used = Vec::new();
        for image in images.iter().filter(|image| !image.used_by.is_empty()) {
            for digest in &image.digests {
                used.push(ImageRef::of_digest(digest)?);
            }
            for tag in &image.tags {
                used.push(tag.to_string().parse()?);
            }
        }
        // Of images that were removed by force nothing is left but the digest.
        for container in self.containers(&docker).await? {
            used.push(ImageRef::of_digest(&self.image_of(container)?)?);
        }
        Ok(used)
    }
}
