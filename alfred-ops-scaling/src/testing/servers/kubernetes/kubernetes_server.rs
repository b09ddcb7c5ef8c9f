//! The server itself.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::body::Bytes;
use axum::extract::{Query, State as Extract};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::deployment::Progress;
use super::kind::Kind;
use super::path::Place;
use super::refusal::Refusal;
use super::state::{Key, State};
use super::verbs::{Asked, serve};
use super::{controller, discovery, scale, watch};
use crate::testing::servers::Fault;

/// A Kubernetes API server in this process, as far as documented and needed here: Deployments, StatefulSets, ReplicaSets and a
/// custom kind (`agentpools.alfred-ai.com/v1`) with their scale subresource, pods that a controller makes and deletes by cost,
/// autoscalers that are only listed, the Metrics API; resource versions, conflicts, dry runs, the three kinds of patches,
/// watches, discovery; Services and ConfigMaps that do nothing; the conditions of Deployments. It ends with its owner.
///
/// `kubectl` and the official Python client are held against it in the tests of this crate.
#[derive(Debug)]
pub struct KubernetesServer {
    url: String,
    state: Shared,
    tasks: TaskSet,
}

type Shared = Arc<Mutex<State>>;

#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) state: Shared,
    pub(super) stop: CancellationToken,
}

pub(super) fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KubernetesServer {
    /// Starts a server without objects on a free port. Pods follow only when [`reconcile`](Self::reconcile) says so, unless
    /// [`run_controller`](Self::run_controller) was called.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Unavailable, "start Kubernetes server", "no port is free")
                .with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let state = Shared::default();
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        let site = Site { state: Arc::clone(&state), stop: stop.clone() };
        let service = Router::new().fallback(answer).with_state(site);
        tasks.spawn(async move {
            let _ = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
        });
        Ok(Self { url, state, tasks })
    }

    /// The server's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds an object of a kind that scales (`Deployment`, `AgentPool`, …), whose pods have the label `app` with its name and
    /// one container that asks for 500m of processor and 256Mi of memory. Of other kinds nothing is added.
    pub fn add(&self, kind: &str, namespace: &str, name: &str, replicas: u32) {
        let container = json!({
            "name": "main", "image": "alfred/bot:1",
            "resources": { "requests": { "cpu": "500m", "memory": "256Mi" } },
        });
        let object = json!({ "metadata": {}, "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": [container] } },
        } });
        let mut state = lock(&self.state);
        if let Some(key) = key(kind, namespace, name).filter(|key| key.kind.scales) {
            state.put(&key, object);
        }
        if state.controlled {
            controller::reconcile(&mut state);
        }
    }

    /// Adds a HorizontalPodAutoscaler of an object: its API version, kind and name.
    pub fn add_autoscaler(
        &self,
        namespace: &str,
        name: &str,
        (api_version, kind, target): (&str, &str, &str),
    ) {
        let reference = json!({ "apiVersion": api_version, "kind": kind, "name": target });
        let object = json!({ "metadata": {}, "spec": { "scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 9 } });
        if let Some(key) = key("HorizontalPodAutoscaler", namespace, name) {
            lock(&self.state).put(&key, object);
        }
    }

    /// Adds a Service that sends its traffic to pods with this label.
    pub fn add_service(&self, namespace: &str, name: &str, (label, value): (&str, &str)) {
        let object =
            json!({ "metadata": {}, "spec": { "selector": { label: value }, "ports": [{ "port": 80 }] } });
        if let Some(key) = key("Service", namespace, name) {
            lock(&self.state).put(&key, object);
        }
    }

    /// Has somebody else delete an object, and pods follow if they follow each change.
    pub fn remove(&self, kind: &str, namespace: &str, name: &str) {
        let mut state = lock(&self.state);
        if let Some(key) = key(kind, namespace, name) {
            state.remove_pod(&key);
            if state.controlled {
                controller::reconcile(&mut state);
            }
        }
    }

    /// Has pods that run this image never become ready, from the next that are made.
    pub fn break_image(&self, image: &str) {
        lock(&self.state).broken.insert(image.to_owned());
    }

    /// Has pods become ready only with the controllers' next step after that which made them.
    pub fn start_slowly(&self) {
        lock(&self.state).slow = true;
    }

    /// Lets the progress deadline of every Deployment pass whose last change of the template is not complete.
    pub fn exceed_progress_deadlines(&self) {
        let mut state = lock(&self.state);
        state.progress.values_mut().for_each(Progress::exceed);
        controller::reconcile(&mut state);
    }

    /// The names of all objects of a kind in a namespace.
    #[must_use]
    pub fn names(&self, kind: &str, namespace: &str) -> Vec<String> {
        let state = lock(&self.state);
        let keys = Kind::named(kind).map(|kind| state.keys(kind)).unwrap_or_default();
        keys.into_iter().filter(|key| key.namespace == namespace).map(|key| key.name).collect()
    }

    /// Has pods follow each change at once, after its answer.
    pub fn run_controller(&self) {
        let mut state = lock(&self.state);
        state.controlled = true;
        controller::reconcile(&mut state);
    }

    /// Brings pods to the numbers asked for, once.
    pub fn reconcile(&self) {
        controller::reconcile(&mut lock(&self.state));
    }

    /// Has somebody else set the replicas of an object, as far as there is one.
    pub fn set_replicas(&self, kind: &str, namespace: &str, name: &str, replicas: u32) {
        self.modify(kind, namespace, name, |object| object["spec"]["replicas"] = json!(replicas));
    }

    /// Has a pod be ready or not.
    pub fn set_ready(&self, namespace: &str, pod: &str, ready: bool) {
        let status = if ready { "True" } else { "False" };
        self.modify("Pod", namespace, pod, |pod| pod["status"]["conditions"][0]["status"] = json!(status));
    }

    /// Has somebody else change an object in any way, as far as there is one.
    pub fn modify(&self, kind: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = lock(&self.state);
        if let Some(key) = key(kind, namespace, name)
            && let Some(mut object) = state.get(&key).cloned()
        {
            change(&mut object);
            state.put(&key, object);
            if state.controlled {
                controller::reconcile(&mut state);
            }
        }
    }

    /// What the Metrics API says of a pod: quantities such as `250m` and `64Mi`, averaged over 30 s until `at`.
    pub fn set_usage(&self, namespace: &str, pod: &str, (cpu, memory): (&str, &str), at: DateTime<Utc>) {
        let Some(measured) = key("PodMetrics", namespace, pod) else { return };
        let mut state = lock(&self.state);
        let labels = key("Pod", namespace, pod)
            .and_then(|key| state.get(&key).map(|pod| pod["metadata"]["labels"].clone()));
        let metrics = json!({
            "metadata": { "labels": labels }, "window": "30s",
            "timestamp": at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "containers": [{ "name": "main", "usage": { "cpu": cpu, "memory": memory } }],
        });
        state.put(&measured, metrics);
    }

    /// Forgets what was measured of a pod.
    pub fn forget_usage(&self, namespace: &str, pod: &str) {
        if let Some(key) = key("PodMetrics", namespace, pod) {
            lock(&self.state).remove(&key);
        }
    }

    /// Forbids a verb on a resource, such as `list` on `pods` or `patch` on `deployments/scale`.
    pub fn deny(&self, verb: &str, resource: &str) {
        lock(&self.state).denied.insert((verb.to_owned(), resource.to_owned()));
    }

    /// Allows again what was forbidden.
    pub fn permit(&self, verb: &str, resource: &str) {
        lock(&self.state).denied.remove(&(verb.to_owned(), resource.to_owned()));
    }

    /// Has an admission give nothing more replicas than this, as webhooks do.
    pub fn clamp_replicas(&self, max: u32) {
        lock(&self.state).replicas_max = Some(max);
    }

    /// Refuses whoever does not bear this token.
    pub fn require_token(&self, token: &str) {
        lock(&self.state).token = Some(token.to_owned());
    }

    /// Has these befall the next requests for objects, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// Forgets what was to befall later requests.
    pub fn heal(&self) {
        lock(&self.state).faults.clear();
    }

    /// An object as it is stored.
    #[must_use]
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        lock(&self.state).get(&key(kind, namespace, name)?).cloned()
    }

    /// How many replicas an object asks for.
    #[must_use]
    pub fn replicas(&self, kind: &str, namespace: &str, name: &str) -> Option<u32> {
        self.object(kind, namespace, name).map(|object| scale::replicas(&object))
    }

    /// Every number that requests have changed an object's replicas to, oldest first.
    #[must_use]
    pub fn history(&self, kind: &str, namespace: &str, name: &str) -> Vec<u32> {
        let key = key(kind, namespace, name);
        key.and_then(|key| lock(&self.state).history.get(&key).cloned()).unwrap_or_default()
    }

    /// The names of the pods of a namespace.
    #[must_use]
    pub fn pods(&self, namespace: &str) -> Vec<String> {
        let state = lock(&self.state);
        let pods = Kind::pods().map(|kind| state.keys(kind)).unwrap_or_default();
        pods.into_iter().filter(|key| key.namespace == namespace).map(|key| key.name).collect()
    }

    /// How many requests for objects have come, served or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }

    /// How many requests have written something.
    #[must_use]
    pub fn writes(&self) -> u64 {
        lock(&self.state).writes
    }

    /// Stops the server and waits for its end. Requests that hang are given up.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

fn key(kind: &str, namespace: &str, name: &str) -> Option<Key> {
    Some(Key { kind: Kind::named(kind)?, namespace: namespace.to_owned(), name: name.to_owned() })
}

async fn answer(
    Extract(site): Extract<Site>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let segments: Vec<&str> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if lock(&site.state).token.as_ref().is_some_and(|token| text(AUTHORIZATION) != format!("Bearer {token}"))
    {
        return Refusal::unauthorized().into_response();
    }
    if let Some(document) = discovery::document(&segments) {
        return Json(document).into_response();
    }
    let Some(place) = Place::of(&segments) else { return Refusal::no_such_path().into_response() };
    let body = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(_) if body.is_empty() => Value::Null,
        Err(error) => return Refusal::bad_request(error.to_string()).into_response(),
    };
    let watches = query.get("watch").is_some_and(|watch| matches!(watch.as_str(), "true" | "1"));
    let verb = match (method.as_str(), &place.name) {
        ("GET", None) if watches => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", None) => "create",
        ("PUT", Some(_)) => "update",
        ("PATCH", Some(_)) => "patch",
        ("DELETE", Some(_)) => "delete",
        _ => return Refusal::no_such_verb().into_response(),
    };
    respond(&site, &Asked { verb, place: &place, query: &query, media_type: text(CONTENT_TYPE), body: &body })
        .await
}

/// Serves one request for objects, unless a fault befalls it.
async fn respond(site: &Site, asked: &Asked<'_>) -> Response {
    let place = asked.place;
    let (fault, denied) = {
        let mut state = lock(&site.state);
        state.requests += 1;
        let denied = state.denied.contains(&(asked.verb.to_owned(), place.resource()));
        (state.faults.pop_front().unwrap_or(Fault::Pass), denied)
    };
    if fault == Fault::Hang {
        let hang = site.stop.run_until_cancelled(pending::<()>());
        hang.await;
        return Refusal::unavailable().into_response();
    }
    if denied {
        let namespace = place.namespace.as_deref().unwrap_or_default();
        return Refusal::forbidden(place.kind, asked.verb, &place.resource(), namespace).into_response();
    }
    if let Some(refusal) = Refusal::of(fault, place.kind, place.name.as_deref().unwrap_or_default()) {
        return refusal.into_response();
    }
    if asked.verb == "watch" {
        return watch::watch(site, asked);
    }
    let served = serve(&mut lock(&site.state), asked);
    if fault == Fault::LoseAnswer {
        // A body that breaks off is as near to a lost connection as a handler comes.
        let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("connection lost"))]);
        return axum::body::Body::from_stream(broken).into_response();
    }
    match served {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
