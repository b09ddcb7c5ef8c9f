//! Servers on free loopback ports, stopped when dropped.

#![allow(dead_code, reason = "each test that shares it uses its own part")]

use std::sync::{Arc, Mutex};

use alfred_ops_core::TaskSet;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Response, Uri};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    /// A header of the request; empty if it has none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A server that answers with what its closure says and remembers what it was asked.
#[derive(Debug)]
pub(crate) struct Loopback {
    /// Host and port.
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: TaskSet,
}

impl Loopback {
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let handler = move |uri: Uri, headers: HeaderMap, body: String| {
            let question = Asked { uri: uri.to_string(), headers, body };
            let answer = answer(&question);
            seen.lock().unwrap().push(question);
            async move { answer }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tasks = TaskSet::new(&CancellationToken::new());
        let stopped = tasks.cancel_token().clone().cancelled_owned();
        let router = Router::new().fallback(handler);
        tasks.spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await.unwrap() },
        );
        Self { address, asked, _tasks: tasks }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer with this status, these headers and this body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}
