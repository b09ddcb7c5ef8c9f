//! Asks a Kubernetes API server for pods.

use std::time::Duration;

use alfred_ops_core::http::{Endpoint, KubernetesApiServer, Question, Requester};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;
use reqwest::header::ACCEPT;

use super::pod::{Pod, PodList};
use super::pod_group::group;
use crate::discovery::{Discovery, Found};
use crate::job::KubernetesDiscoveryConfig;

const OPERATION: &str = "list pods";
/// How often pods are listed.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// How long listing all of them may take.
const TIMEOUT: Duration = Duration::from_secs(25);
/// How many pods are asked for at once: a page of them has about a megabyte.
const PAGE_ITEMS: usize = 500;
/// How many pages there may be: the largest clusters have 150,000 pods.
const PAGES_MAX: usize = 400;
/// How large a page may be.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// The pods of a Kubernetes cluster, a target for each port of each container.
#[derive(Debug)]
pub struct KubernetesDiscovery {
    /// The lists that are asked for: one for each namespace, or one of all.
    lists: Vec<Endpoint>,
    name: String,
    requester: Requester,
    clock: SharedClock,
}

impl KubernetesDiscovery {
    /// The pods that the configuration selects. Reads the files that name the cluster, once; the token is read
    /// for each question, since it changes.
    ///
    /// # Errors
    /// `InvalidInput` if no API server is named and this process runs in no pod, or a certificate cannot be used.
    pub fn new(config: &KubernetesDiscoveryConfig, clock: SharedClock) -> Result<Self> {
        let server = match &config.api_server {
            Some(url) => KubernetesApiServer::new(url).with_http(config.http.clone()),
            None => KubernetesApiServer::of_this_pod()?,
        };
        let mut namespaces = config.namespaces.clone();
        if config.own_namespace {
            namespaces.push(KubernetesApiServer::namespace_of_this_pod()?);
        }
        namespaces.sort();
        namespaces.dedup();
        let mut paths: Vec<String> =
            namespaces.iter().map(|name| format!("/api/v1/namespaces/{name}/pods")).collect();
        if paths.is_empty() {
            paths.push("/api/v1/pods".to_owned());
        }
        let lists = paths.iter().map(|path| list(&server.url, path, config)).collect::<Result<Vec<_>>>()?;
        let requester = Requester::new(&server.http)?;
        let name = lists.first().map_or_else(String::new, |list| list.shown().to_owned());
        Ok(Self { lists, name, requester, clock })
    }

    async fn pods(&self, list: &Endpoint) -> Result<Vec<Pod>> {
        let mut pods = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = match &next {
                Some(next) => list.with_query("continue", next),
                None => list.clone(),
            };
            let list = self.page(&page).await?;
            pods.extend(list.items);
            next = list.metadata.next.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(pods);
            }
        }
        let message = format!("there are more than {PAGES_MAX} pages of {PAGE_ITEMS} pods");
        Err(Error::new(ErrorKind::ResourceExhausted, OPERATION, message)
            .with_target(list.shown())
            .with_remedy("select fewer by namespaces or selectors"))
    }

    async fn page(&self, page: &Endpoint) -> Result<PodList> {
        let headers = [(ACCEPT, "application/json".to_owned())];
        let question = Question {
            operation: OPERATION,
            endpoint: page,
            headers: &headers,
            bytes_max: PAGE_BYTES_MAX,
            limit_name: None,
            compressed: true,
        };
        let answer = self.requester.get(&question).await?;
        serde_json::from_slice(&answer.body).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, OPERATION, "the answer is no list of pods")
                .with_target(page.shown())
                .with_remedy("check that api_server names a Kubernetes API server")
                .with_source(source)
        })
    }

    async fn all(&self) -> Result<Found> {
        let mut groups = Vec::new();
        for list in &self.lists {
            groups.extend(self.pods(list).await?.iter().map(group));
        }
        Ok(Found::new(groups))
    }
}

fn list(server: &str, path: &str, config: &KubernetesDiscoveryConfig) -> Result<Endpoint> {
    let mut endpoint = Endpoint::public(&format!("{server}{path}"), OPERATION)?;
    endpoint = endpoint.with_query("limit", &PAGE_ITEMS.to_string());
    for (name, selector) in
        [("labelSelector", &config.label_selector), ("fieldSelector", &config.field_selector)]
    {
        if let Some(selector) = selector {
            endpoint = endpoint.with_query(name, selector);
        }
    }
    Ok(endpoint)
}

#[async_trait]
impl Discovery for KubernetesDiscovery {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll_interval(&self) -> Duration {
        POLL_INTERVAL
    }

    async fn find(&self) -> Result<Found> {
        let asked = self.clock.timeout(TIMEOUT, OPERATION, self.all());
        asked.await.map_err(|error| error.with_target(self.name.clone()))?
    }
}
