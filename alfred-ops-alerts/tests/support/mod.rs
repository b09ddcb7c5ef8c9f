//! Real servers on free loopback ports, stopped when dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use alfred_ops_core::TaskSet;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, Uri};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

async fn serve(router: Router) -> (String, TaskSet) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tasks = TaskSet::new(&CancellationToken::new());
    let stopped = tasks.cancel_token().clone().cancelled_owned();
    tasks.spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await.unwrap() });
    (address, tasks)
}

/// What an exporter answers.
#[derive(Debug, Clone)]
pub(crate) enum Page {
    /// This text.
    Text(String),
    /// This status.
    Status(u16),
    /// Bytes without end.
    Endless,
    /// Nothing, ever.
    Silence,
    /// The page of a working agent, its counters growing by so much at each scrape.
    Agent { processed: u32, errors: u32 },
}

/// An agent's `/metrics`.
#[derive(Debug)]
pub(crate) struct Exporter {
    /// Host and port.
    pub(crate) address: String,
    page: Arc<Mutex<Page>>,
    _tasks: TaskSet,
}

impl Exporter {
    pub(crate) async fn start(page: Page) -> Self {
        let page = Arc::new(Mutex::new(page));
        let (shared, counts) = (Arc::clone(&page), Arc::new(Mutex::new((0_u32, 0_u32))));
        let handler = move || {
            let (page, counts) = (shared.lock().unwrap().clone(), Arc::clone(&counts));
            async move {
                match page {
                    Page::Text(text) => Response::new(Body::from(text)),
                    Page::Status(status) => Response::builder()
                        .status(status)
                        .header("location", "/")
                        .body(Body::empty())
                        .unwrap(),
                    Page::Endless => {
                        let chunk = Bytes::from(vec![b'#'; 1 << 16]);
                        let chunks = std::iter::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
                        Response::new(Body::from_stream(futures::stream::iter(chunks)))
                    }
                    Page::Silence => std::future::pending().await,
                    Page::Agent { processed, errors } => {
                        let mut counts = counts.lock().unwrap();
                        counts.0 += processed;
                        counts.1 += errors;
                        let (processed, errors) = *counts;
                        Response::new(Body::from(format!(
                            "# HELP tasks_processed_total Tasks done.\n# TYPE tasks_processed_total counter\n\
                             tasks_processed_total{{route=\"/x/{{id}}\"}} {processed}\n\
                             # TYPE tasks_errors_total counter\n\
                             tasks_errors_total{{cause=\"a=b, c\"}} {errors}\n"
                        )))
                    }
                }
            }
        };
        let (address, tasks) = serve(Router::new().route("/metrics", axum::routing::get(handler))).await;
        Self { address, page, _tasks: tasks }
    }

    pub(crate) fn set(&self, page: Page) {
        *self.page.lock().unwrap() = page;
    }
}

/// One request that a receiver got.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: serde_json::Value,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }
}

/// A webhook receiver that answers what it is told to, then 200; a status of zero is no answer at all.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Received>>>,
    _tasks: TaskSet,
}

impl Receiver {
    pub(crate) async fn start(answers: &[(u16, Option<&str>)]) -> Self {
        let answers: VecDeque<(u16, Option<String>)> =
            answers.iter().map(|(status, wait)| (*status, wait.map(str::to_owned))).collect();
        let (answers, received) = (Arc::new(Mutex::new(answers)), Arc::new(Mutex::new(Vec::new())));
        let seen: Arc<Mutex<Vec<Received>>> = Arc::clone(&received);
        let handler = move |uri: Uri, headers: HeaderMap, body: String| {
            let body = serde_json::from_str(&body).unwrap();
            seen.lock().unwrap().push(Received { path: uri.path().to_owned(), headers, body });
            let answer = answers.lock().unwrap().pop_front().unwrap_or((200, None));
            async move {
                let (status, wait) = answer;
                if status == 0 {
                    return std::future::pending().await;
                }
                let mut response = Response::builder().status(status);
                if let Some(wait) = wait {
                    response = response.header("retry-after", wait);
                }
                response.body(Body::empty()).unwrap()
            }
        };
        let (address, tasks) = serve(Router::new().fallback(handler)).await;
        Self { address, received, _tasks: tasks }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}
