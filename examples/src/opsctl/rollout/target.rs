//! Where a service runs.

use std::path::PathBuf;
use std::sync::Arc;

use alfred_ops_core::http::{Credential, KubernetesApiServer};
use alfred_ops_core::{FromConfig, JobContext, Result, Section, StateStore};
use alfred_ops_maintenance::{CloudRunRollout, CloudRunWorkerPoolRollout, KubernetesRollout, RolloutTarget};
use alfred_ops_scaling::{CloudRunOptions, DrainLeases, KubernetesCluster};

use super::program_target::ProgramTarget;
use crate::opsctl::program::Program;

/// Where a service runs, as a file says.
#[derive(Debug)]
pub(super) enum TargetConfig {
    CloudRun(CloudRunConfig),
    Kubernetes(KubernetesConfig),
    /// What a program makes of it.
    Program(Vec<String>),
}

/// A service or worker pool on Cloud Run, spoken to with application default credentials.
#[derive(Debug)]
pub(super) struct CloudRunConfig {
    project: String,
    location: String,
    resource: CloudRunResource,
    /// Another server in tests.
    endpoint: Option<String>,
}

#[derive(Debug)]
enum CloudRunResource {
    Service(String),
    WorkerPool {
        name: String,
        /// The document of the workers' leases in the state.
        leases: Option<String>,
    },
}

#[derive(Debug)]
pub(super) struct KubernetesConfig {
    /// Without one, the cluster in which this process runs.
    api_server: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    namespace: String,
    revisions: Revisions,
    container: Option<String>,
    /// The document of the workers' leases in the state.
    leases: Option<String>,
}

/// Which Deployments are revisions.
#[derive(Debug)]
enum Revisions {
    /// Those that a Service chooses.
    Service(String),
    /// Those whose pods have these labels; their shares stand in a ConfigMap.
    Workers { config_map: String, labels: Vec<(String, String)> },
}

impl FromConfig for TargetConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let cloud_run = section.optional_section("cloud_run")?.map(Self::CloudRun);
        let kubernetes = section.optional_section("kubernetes")?.map(Self::Kubernetes);
        let program = section.optional("command")?.map(Self::Program);
        let mut named = [cloud_run, kubernetes, program].into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(target), None) => Some(target),
            (None, _) => {
                section.refuse("cloud_run", "no target is named", "give cloud_run, kubernetes or command")
            }
            (Some(_), Some(_)) => {
                section.refuse("cloud_run", "there are several targets", "keep one of them")
            }
        }
    }
}

impl FromConfig for CloudRunConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let (project, location) = (section.required("project"), section.required("location"));
        let (resource, endpoint) = (cloud_run_resource(section), section.optional("endpoint"));
        Some(Self { project: project?, location: location?, resource: resource?, endpoint: endpoint? })
    }
}

fn cloud_run_resource(section: &mut Section<'_>) -> Option<CloudRunResource> {
    let service: Option<String> = section.optional("service")?;
    let pool: Option<String> = section.optional("worker_pool")?;
    let leases: Option<String> = section.optional("leases")?;
    match (service, pool, leases) {
        (Some(service), None, None) => Some(CloudRunResource::Service(service)),
        (None, Some(name), leases) => Some(CloudRunResource::WorkerPool { name, leases }),
        _ => section.refuse(
            "service",
            "it is not said what is rolled out",
            "give service, or worker_pool and its leases if it has any",
        ),
    }
}

impl FromConfig for KubernetesConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let api_server = section.optional("api_server");
        let (token_file, ca_file) = (section.optional("token_file"), section.optional("ca_file"));
        let (namespace, container) = (section.required("namespace"), section.optional("container"));
        let leases = section.optional("leases");
        let revisions = revisions(section);
        Some(Self {
            api_server: api_server?,
            token_file: token_file?,
            ca_file: ca_file?,
            namespace: namespace?,
            revisions: revisions?,
            container: container?,
            leases: leases?,
        })
    }
}

fn revisions(section: &mut Section<'_>) -> Option<Revisions> {
    let service: Option<String> = section.optional("service")?;
    let workers: Option<String> = section.optional("workers")?;
    let labels: Option<Vec<String>> = section.optional("labels")?;
    match (service, workers, labels) {
        (Some(service), None, None) => Some(Revisions::Service(service)),
        (None, Some(config_map), Some(labels)) => {
            let pair = |label: &String| {
                label.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
            };
            let Some(pairs) = labels.iter().map(pair).collect() else {
                return section.refuse("labels", format!("{labels:?} are no labels"), "write [app=agents]");
            };
            Some(Revisions::Workers { config_map, labels: pairs })
        }
        _ => section.refuse(
            "service",
            "it is not said which Deployments are meant",
            "give service, or workers with labels",
        ),
    }
}

/// The target of the service that is called `name`. Nothing is asked of the platform yet.
pub(super) async fn open(
    name: &str,
    config: &TargetConfig,
    state: &Arc<dyn StateStore>,
    context: &JobContext,
) -> Result<Arc<dyn RolloutTarget>> {
    Ok(match config {
        TargetConfig::CloudRun(config) => cloud_run(config, state, context).await?,
        TargetConfig::Kubernetes(config) => Arc::new(kubernetes(config, state, context)?),
        TargetConfig::Program(command) => {
            let program = Program::new(command.clone(), Arc::clone(&context.clock))?;
            Arc::new(ProgramTarget::new(name, program))
        }
    })
}

async fn cloud_run(
    config: &CloudRunConfig,
    state: &Arc<dyn StateStore>,
    context: &JobContext,
) -> Result<Arc<dyn RolloutTarget>> {
    let CloudRunConfig { project, location, .. } = config;
    let at = |options: CloudRunOptions| match &config.endpoint {
        Some(endpoint) => options.with_endpoint(endpoint),
        None => options,
    };
    Ok(match &config.resource {
        CloudRunResource::Service(service) => {
            let options = CloudRunOptions::new(project, location, service)?;
            Arc::new(CloudRunRollout::connect(at(options)).await?)
        }
        CloudRunResource::WorkerPool { name, leases } => {
            let options = CloudRunOptions::worker_pool(project, location, name)?;
            let rollout = CloudRunWorkerPoolRollout::connect(at(options)).await?;
            Arc::new(match leases {
                Some(key) => {
                    rollout.with_leases(DrainLeases::new(Arc::clone(state), key, Arc::clone(&context.clock)))
                }
                None => rollout,
            })
        }
    })
}

fn kubernetes(
    config: &KubernetesConfig,
    state: &Arc<dyn StateStore>,
    context: &JobContext,
) -> Result<KubernetesRollout> {
    let mut server = match &config.api_server {
        Some(url) => KubernetesApiServer::new(url),
        None => KubernetesApiServer::of_this_pod()?,
    };
    if let Some(token) = &config.token_file {
        server = server.with_token(Credential::File(token.clone()));
    }
    if let Some(authorities) = &config.ca_file {
        server.http.tls.authorities = Some(Credential::File(authorities.clone()));
    }
    let cluster = Arc::new(KubernetesCluster::new(server, Arc::clone(&context.clock))?);
    let mut rollout = match &config.revisions {
        Revisions::Service(service) => KubernetesRollout::service(cluster, &config.namespace, service)?,
        Revisions::Workers { config_map, labels } => {
            KubernetesRollout::workers(cluster, &config.namespace, config_map, labels.clone())?
        }
    };
    if let Some(container) = &config.container {
        rollout = rollout.with_container(container);
    }
    if let Some(key) = &config.leases {
        rollout = rollout.with_leases(DrainLeases::new(Arc::clone(state), key, Arc::clone(&context.clock)));
    }
    Ok(rollout)
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::ConfigTree;

    use super::*;

    #[test]
    fn one_target_is_named_in_full() {
        let read = |text: &str| ConfigTree::from_yaml(text).unwrap().read::<TargetConfig>();
        for good in [
            "cloud_run: {project: alfred, location: europe-west1, service: api}",
            "cloud_run: {project: alfred, location: europe-west1, worker_pool: bots, leases: drain/bots}",
            "kubernetes: {namespace: agents, service: api}",
            "kubernetes: {namespace: agents, workers: shares, labels: [app=agents], leases: drain/agents}",
            "command: [/bin/target]",
        ] {
            read(good).unwrap();
        }
        for (bad, words) in [
            ("{}", "give cloud_run, kubernetes or command"),
            ("command: [a]\nkubernetes: {namespace: agents, service: api}", "keep one of them"),
            ("cloud_run: {project: alfred, service: api}", "cloud_run.location: it is missing"),
            ("cloud_run: {project: alfred, location: l}", "give service, or worker_pool"),
            (
                "cloud_run: {project: p, location: l, service: s, leases: drain/s}",
                "give service, or worker_pool",
            ),
            ("kubernetes: {namespace: agents}", "give service, or workers with labels"),
            ("kubernetes: {namespace: agents, workers: shares, labels: [app]}", "write [app=agents]"),
        ] {
            let error = read(bad).unwrap_err().full();
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
