//! Whose images are looked after, and who uses them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::http::{Authentication, Credential, HttpOptions};
use alfred_ops_core::{Error, ErrorKind, JobContext, Result, StateStore};
use alfred_ops_maintenance::{
    CloudRunUse, DockerEngine, ImageCare, ImagePolicy, ImageStore, ImageUse, KubernetesUse, Registry,
};
use alfred_ops_scaling::{CloudRunInventory, CloudRunOptions, KubernetesCluster};
use clap::Args;

use crate::opsctl::rules::duration;

/// Whose images are looked after, and who uses them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of the chore `images`")]
pub(in crate::opsctl) struct ImageOptions {
    /// What hosts call this engine or registry, such as the machine's name: leases, history and first sights are kept under it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The engine whose images these are, as unix:///var/run/docker.sock or http://HOST:PORT.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "registry")]
    engine: Option<String>,
    /// The registry whose images these are, as https://HOST.
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// A repository of the registry; all if none is named.
    #[arg(long, value_name = "NAME", requires = "registry", conflicts_with = "engine")]
    repository: Vec<String>,
    /// Who the registry is to know this as, with the password in --password-file.
    #[arg(
        long,
        value_name = "USER",
        requires = "registry",
        requires = "password_file",
        conflicts_with = "engine"
    )]
    user: Option<String>,
    /// A file with that password.
    #[arg(long, value_name = "FILE", requires = "user", conflicts_with = "engine")]
    password_file: Option<PathBuf>,
    /// Who else uses these images and is asked before any of them goes: docker=ADDRESS, cloud-run=PROJECT/REGION, or kubernetes,
    /// the cluster in which this runs. A registry knows nobody by itself, and without any nothing is removed.
    #[arg(long, value_name = "WHO", value_parser = user)]
    used_by: Vec<User>,
    /// Keep so many of the highest versions vX.Y.Z of each repository; 5 if not given.
    #[arg(long, value_name = "COUNT")]
    versions: Option<usize>,
    /// Keep what was first seen, or tagged anew, within this time; 168h if not given.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    unused_after: Option<Duration>,
}

/// Who uses images.
#[derive(Debug, Clone, PartialEq, Eq)]
enum User {
    Docker(String),
    CloudRun { project: String, region: String },
    Kubernetes,
}

/// An engine or a registry, cared for.
pub(super) type AnyImageCare = ImageCare<Arc<dyn ImageStore>>;

impl ImageOptions {
    pub(super) async fn care(
        &self,
        state: Arc<dyn StateStore>,
        context: &JobContext,
    ) -> Result<AnyImageCare> {
        let name = self.name.as_deref().ok_or_else(|| missing("--name", "name the engine or registry"))?;
        let store: Arc<dyn ImageStore> = match (&self.engine, &self.registry) {
            (Some(address), _) => Arc::new(DockerEngine::new(name, address)),
            (None, Some(url)) => Arc::new(self.registry(name, url, context)?),
            (None, None) => return Err(missing("--engine", "name an engine, or a --registry")),
        };
        let mut policy = ImagePolicy::default();
        if let Some(versions) = self.versions {
            policy = policy.with_versions(versions);
        }
        if let Some(time) = self.unused_after {
            policy = policy.with_unused_after(time);
        }
        let mut care = ImageCare::new(store, policy, state);
        for user in &self.used_by {
            care = care.with_use(user.open(context).await?);
        }
        Ok(care)
    }

    fn registry(&self, name: &str, url: &str, context: &JobContext) -> Result<Registry> {
        let mut http = HttpOptions::default();
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            http.authentication = Authentication::Basic {
                username: Credential::Inline(user.as_str().into()),
                password: Some(Credential::File(file.clone())),
            };
        }
        let registry = Registry::new(name, url, &http, Arc::clone(&context.clock))?;
        self.repository.iter().try_fold(registry, |registry, name| registry.with_repository(name))
    }

    /// Each option, and whether it is given. What `requires` ties to the registry is not given without one of these.
    pub(super) fn given(&self) -> [(&'static str, bool); 6] {
        [
            ("--name", self.name.is_some()),
            ("--engine", self.engine.is_some()),
            ("--registry", self.registry.is_some()),
            ("--used-by", !self.used_by.is_empty()),
            ("--versions", self.versions.is_some()),
            ("--unused-after", self.unused_after.is_some()),
        ]
    }
}

impl User {
    async fn open(&self, context: &JobContext) -> Result<Arc<dyn ImageUse>> {
        Ok(match self {
            Self::Docker(address) => Arc::new(DockerEngine::new(address, address)),
            Self::CloudRun { project, region } => {
                let inventory = CloudRunInventory::connect(CloudRunOptions::region(project, region)?).await?;
                Arc::new(CloudRunUse::new(format!("Cloud Run in {region}"), [inventory])?)
            }
            Self::Kubernetes => {
                let cluster = KubernetesCluster::of_this_pod(Arc::clone(&context.clock))?;
                Arc::new(KubernetesUse::new("the cluster", Arc::new(cluster)))
            }
        })
    }
}

fn user(text: &str) -> Result<User, String> {
    match text.split_once('=') {
        None if text == "kubernetes" => Ok(User::Kubernetes),
        Some(("docker", address)) => Ok(User::Docker(address.to_owned())),
        Some(("cloud-run", place)) => {
            let (project, region) = place.split_once('/').ok_or("write cloud-run=PROJECT/REGION")?;
            Ok(User::CloudRun { project: project.to_owned(), region: region.to_owned() })
        }
        _ => Err("write docker=ADDRESS, cloud-run=PROJECT/REGION or kubernetes".to_owned()),
    }
}

fn missing(option: &str, remedy: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "look after images", format!("{option}: it is missing"))
        .with_remedy(remedy)
}
