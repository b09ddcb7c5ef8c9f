//! A Secret Manager API v1 server.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A Secret Manager API v1 server in this process: secrets, versions, states, aliases and etags, as far as documented and needed
/// here. It ends with its owner.
#[derive(Debug)]
pub struct SecretManagerServer {
    endpoint: String,
    tasks: TaskSet,
}

type Refusal = (StatusCode, &'static str);
type Answer = std::result::Result<Value, Refusal>;
type Shared = Arc<Mutex<BTreeMap<String, Kept>>>;

const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "NOT_FOUND");
const INVALID: Refusal = (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT");
const PRECONDITION: Refusal = (StatusCode::BAD_REQUEST, "FAILED_PRECONDITION");
const ABORTED: Refusal = (StatusCode::CONFLICT, "ABORTED");
const EXISTS: Refusal = (StatusCode::CONFLICT, "ALREADY_EXISTS");

#[derive(Debug, Default)]
struct Kept {
    changes: u64,
    aliases: Value,
    /// The payloads as they came, in base64; a destroyed version has none.
    versions: Vec<Version>,
}

#[derive(Debug)]
struct Version {
    state: &'static str,
    data: Value,
    changes: u64,
}

impl SecretManagerServer {
    /// Starts a server without secrets on a free port.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Unavailable, "start Secret Manager server", "no port is free")
                .with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(failed)?);
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        let service = Router::new().route("/v1/{*path}", any(serve)).with_state(Shared::default());
        tasks.spawn(async move {
            let _ = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
        });
        Ok(Self { endpoint, tasks })
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops the server and waits for its end.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

async fn serve(
    State(state): State<Shared>,
    method: Method,
    Path(path): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> Response {
    let body = serde_json::from_str(&body).unwrap_or(Value::Null);
    let mut secrets = state.lock().unwrap_or_else(PoisonError::into_inner);
    match answer(&mut secrets, &method, &path, &query, &body) {
        Ok(value) => Json(value).into_response(),
        Err((status, code)) => {
            let error = json!({ "code": status.as_u16(), "message": code, "status": code });
            (status, Json(json!({ "error": error }))).into_response()
        }
    }
}

fn answer(
    secrets: &mut BTreeMap<String, Kept>,
    method: &Method,
    path: &str,
    query: &HashMap<String, String>,
    body: &Value,
) -> Answer {
    let (resource, verb) = path.split_once(':').unwrap_or((path, ""));
    if let Some((secret, number)) = resource.split_once("/versions/") {
        let kept = secrets.get_mut(secret).ok_or(NOT_FOUND)?;
        return kept.version(resource, number, verb, body);
    }
    if let Some(secret) = resource.strip_suffix("/versions") {
        return secrets.get(secret).ok_or(NOT_FOUND)?.page(secret, query);
    }
    if let (Some(_), &Method::POST) = (resource.strip_suffix("/secrets"), method) {
        let name = format!("{resource}/{}", query.get("secretId").ok_or(INVALID)?);
        if body["replication"].is_null() {
            return Err(INVALID);
        }
        if secrets.contains_key(&name) {
            return Err(EXISTS);
        }
        return Ok(secrets.entry(name.clone()).or_default().json(&name));
    }
    let kept = secrets.get_mut(resource).ok_or(NOT_FOUND)?;
    match (method, verb) {
        (&Method::POST, "addVersion") => {
            let data = body["payload"]["data"].clone();
            if data.as_str().is_none_or(str::is_empty) {
                return Err(INVALID);
            }
            kept.versions.push(Version { state: "ENABLED", data, changes: 1 });
            let number = kept.versions.len();
            Ok(version_json(&format!("{resource}/versions/{number}"), &kept.versions[number - 1]))
        }
        (&Method::PATCH, "") => {
            if query.get("updateMask").map(String::as_str) != Some("versionAliases") {
                return Err(INVALID);
            }
            kept.update(body)?;
            Ok(kept.json(resource))
        }
        (&Method::GET, "") => Ok(kept.json(resource)),
        _ => Err(INVALID),
    }
}

impl Kept {
    fn etag(&self) -> String {
        format!("\"{}\"", self.changes)
    }

    fn json(&self, name: &str) -> Value {
        let mut secret = json!({ "name": name, "etag": self.etag(), "replication": { "automatic": {} } });
        if !self.aliases.is_null() {
            secret["versionAliases"] = self.aliases.clone();
        }
        secret
    }

    /// A page of the versions, newest first as Google has it.
    fn page(&self, secret: &str, query: &HashMap<String, String>) -> Answer {
        let skip: usize = query.get("pageToken").and_then(|token| token.parse().ok()).unwrap_or(0);
        // Small pages, whatever is asked for, which the API allows: so that clients must follow them.
        let page: Vec<Value> = (1..=self.versions.len())
            .rev()
            .skip(skip)
            .take(2)
            .map(|number| version_json(&format!("{secret}/versions/{number}"), &self.versions[number - 1]))
            .collect();
        let seen = skip + page.len();
        let next = if seen < self.versions.len() { seen.to_string() } else { String::new() };
        Ok(json!({ "versions": page, "nextPageToken": next, "totalSize": self.versions.len() }))
    }

    fn update(&mut self, body: &Value) -> std::result::Result<(), Refusal> {
        if body["etag"].as_str().is_some_and(|etag| !etag.is_empty() && etag != self.etag()) {
            return Err(ABORTED);
        }
        for number in body["versionAliases"].as_object().into_iter().flat_map(|aliases| aliases.values()) {
            let number = number.as_u64().or_else(|| number.as_str()?.parse().ok()).ok_or(INVALID)?;
            if number == 0 || usize::try_from(number).is_ok_and(|number| number > self.versions.len()) {
                return Err(INVALID);
            }
        }
        self.aliases = body["versionAliases"].clone();
        self.changes += 1;
        Ok(())
    }

    fn version(&mut self, name: &str, number: &str, verb: &str, body: &Value) -> Answer {
        let index = number.parse::<usize>().map_err(|_| INVALID)?.checked_sub(1).ok_or(INVALID)?;
        let version = self.versions.get_mut(index).ok_or(NOT_FOUND)?;
        if verb == "access" {
            let readable = version.state == "ENABLED";
            let payload = json!({ "name": name, "payload": { "data": version.data } });
            return if readable { Ok(payload) } else { Err(PRECONDITION) };
        }
        let state = match verb {
            "" => return Ok(version_json(name, version)),
            "enable" => "ENABLED",
            "disable" => "DISABLED",
            "destroy" => "DESTROYED",
            _ => return Err(INVALID),
        };
        if body["etag"].as_str().is_some_and(|etag| !etag.is_empty() && etag != etag_of(version)) {
            return Err(ABORTED);
        }
        if version.state == "DESTROYED" {
            return Err(PRECONDITION);
        }
        version.state = state;
        version.changes += 1;
        if state == "DESTROYED" {
            version.data = Value::Null;
        }
        Ok(version_json(name, version))
    }
}

fn etag_of(version: &Version) -> String {
    format!("\"{}\"", version.changes)
}

fn version_json(name: &str, version: &Version) -> Value {
    json!({ "name": name, "state": version.state, "etag": etag_of(version), "createTime": "2024-03-01T00:00:00Z" })
}
