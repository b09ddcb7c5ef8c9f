//! A registry in memory that lies when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alfred_ops_core::TaskSet;
use axum::Router;
use axum::body::to_bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::digest_of;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Lie = Box<dyn FnMut(&Request, &mut Content) -> Option<Response> + Send>;

/// Tags and manifests of the one repository `app`.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) manifests: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) asked: Vec<String>,
}

impl Content {
    pub(crate) fn put(&mut self, tag: &str, manifest: &str) -> String {
        let digest = digest_of(manifest.as_bytes());
        self.manifests.insert(digest.clone(), manifest.to_owned());
        if !tag.is_empty() {
            self.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }

    fn answer(&mut self, request: &Request) -> Response {
        let path = request.path.as_str();
        if path == "/v2/_catalog" {
            return Response::of(200, &json!({"repositories": ["app"]}).to_string());
        }
        if path == "/v2/app/tags/list" {
            let tags: Vec<&String> = self.tags.keys().collect();
            return Response::of(200, &json!({"name": "app", "tags": tags}).to_string());
        }
        let Some(reference) = path.strip_prefix("/v2/app/manifests/") else { return Response::of(404, "") };
        let digest = self.tags.get(reference).cloned().unwrap_or_else(|| reference.to_owned());
        match (request.method.as_str(), self.manifests.get(&digest)) {
            ("PUT", _) => {
                self.put(reference, &request.body);
                Response::of(201, "")
            }
            (_, None) => Response::of(404, ""),
            ("DELETE", Some(_)) => {
                self.manifests.remove(&digest);
                self.tags.retain(|_, of| *of != digest);
                Response::of(202, "")
            }
            (_, Some(manifest)) => Response::of(200, manifest),
        }
    }
}

/// The server. It ends with its owner.
pub(crate) struct FakeRegistry {
    pub(crate) content: Arc<Mutex<Content>>,
    lie: Arc<Mutex<Lie>>,
    port: u16,
    _tasks: TaskSet,
}

impl FakeRegistry {
    pub(crate) async fn start() -> Self {
        let content: Arc<Mutex<Content>> = Arc::default();
        let truth: Lie = Box::new(|_, _| None);
        let lie = Arc::new(Mutex::new(truth));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (of, told) = (Arc::clone(&content), Arc::clone(&lie));
        let handle = move |request: axum::extract::Request| {
            let (content, lie) = (Arc::clone(&of), Arc::clone(&told));
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let request = Request {
                    method: head.method.to_string(),
                    path: head.uri.path().to_owned(),
                    query: head.uri.query().unwrap_or_default().to_owned(),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                let answer = {
                    let mut content = content.lock().unwrap();
                    content.asked.push(format!("{} {}", request.method, request.path));
                    let lie = (lie.lock().unwrap())(&request, &mut content);
                    lie.unwrap_or_else(|| content.answer(&request))
                };
                // Nobody hears of it.
                if answer.status == 999 {
                    std::future::pending::<()>().await;
                }
                let mut headers = HeaderMap::new();
                for (name, value) in answer.headers {
                    headers.insert(name, value.parse().unwrap());
                }
                (StatusCode::from_u16(answer.status).unwrap(), headers, answer.body).into_response()
            }
        };
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        tasks.spawn(async move {
            let served = axum::serve(listener, Router::new().fallback(handle));
            tokio::select! {
                _ = served.into_future() => {}
                () = stop.cancelled() => {}
            }
        });
        Self { content, lie, port, _tasks: tasks }
    }

    /// Answers by `lie` where it says something, and by the truth else. Status 999 is no answer at all.
    pub(crate) fn lie(&self, lie: impl FnMut(&Request, &mut Content) -> Option<Response> + Send + 'static) {
        *self.lie.lock().unwrap() = Box::new(lie);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn put(&self, tag: &str, manifest: &str) -> String {
        self.content.lock().unwrap().put(tag, manifest)
    }

    pub(crate) fn tag(&self, tag: &str) -> Option<String> {
        self.content.lock().unwrap().tags.get(tag).cloned()
    }

    /// How often something was asked for.
    pub(crate) fn asked(&self, what: &str) -> usize {
        self.content.lock().unwrap().asked.iter().filter(|asked| asked.starts_with(what)).count()
    }
}
