//! An S3 server in this process.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Secret, SharedClock, SystemClock, TaskSet};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, IF_NONE_MATCH};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::HttpResponse;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::S3Fault;
use super::s3_fault::S3Faults;
use super::s3_trouble::{Trouble, error};
use crate::S3Options;

const ACCESS_KEY: &str = "alfred";
const GENERATION_MATCH: &str = "x-goog-if-generation-match";
const SECRET_KEY: &str = "alfred-local-only";

/// An S3 server (s3s over a temporary folder) that checks signatures, honours the conditions of Amazon and
/// Google, and fails by script. It ends with its owner.
#[derive(Debug)]
pub struct S3Server {
    endpoint: String,
    home: TempDir,
    faults: Arc<S3Faults>,
    tasks: TaskSet,
}

impl S3Server {
    /// Starts a server with the given buckets on a free port.
    ///
    /// # Errors
    /// If the folder or the port cannot be had.
    pub async fn start(buckets: &[&str]) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("alfred-ops-s3-").tempdir().map_err(failed)?;
        for bucket in buckets {
            std::fs::create_dir(home.path().join(bucket)).map_err(failed)?;
        }
        let files = FileSystem::new(home.path())
            .map_err(|source| Error::new(ErrorKind::Internal, "start S3 server", format!("{source:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(failed)?);
        let tasks = TaskSet::new(&CancellationToken::new());
        let faults = Arc::new(S3Faults::default());
        let served = Served {
            service: service.build(),
            conditional_writes: Arc::default(),
            faults: Arc::clone(&faults),
            clock: SystemClock::shared(),
        };
        tasks.spawn(serve(listener, served, tasks.cancel_token().clone()));
        Ok(Self { endpoint, home, faults, tasks })
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How to use one of its buckets.
    #[must_use]
    pub fn options(&self, bucket: &str) -> S3Options {
        S3Options::new(bucket, ACCESS_KEY, Secret::new(SECRET_KEY)).with_endpoint(&self.endpoint)
    }

    /// The folder that holds the buckets, for tests that damage them.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Appends faults: each hits the first request that it fits.
    pub fn script(&self, faults: impl IntoIterator<Item = S3Fault>) {
        self.faults.script(faults);
    }

    /// Hits so many of a hundred requests with whatever happens on a bad day, drawn from `seed`: outages, lost
    /// and late answers, broken connections, conflicts, lost uploads, and answers that are cut or changed.
    pub fn fail_by_chance(&self, seed: u64, percent: u8) {
        self.faults.by_chance(seed, percent);
    }

    /// Ends all faults: those of the script that hit nothing so far, and those by chance.
    pub fn heal(&self) {
        self.faults.forget();
    }

    /// How many requests were hit by a fault.
    #[must_use]
    pub fn hit(&self) -> u64 {
        self.faults.hit()
    }

    /// What was asked for so far, one line for each request: its method, path and query.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.faults.requests()
    }

    /// Stops the server and waits for its connections to end.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

/// What answers each request.
#[derive(Clone)]
struct Served {
    service: S3Service,
    /// s3s-fs looks and writes in two steps; one conditional write at a time makes them one, as S3 does.
    conditional_writes: Arc<Mutex<()>>,
    faults: Arc<S3Faults>,
    clock: SharedClock,
}

impl Served {
    async fn answer(
        self,
        mut request: Request<Incoming>,
    ) -> std::result::Result<HttpResponse, s3s::HttpError> {
        let trouble = self.faults.arrive(&request);
        match &trouble {
            Some(Trouble::Answer { status, code, after: false }) => return Ok(error(*status, code)),
            Some(Trouble::Broken) => return Err(s3s::HttpError::new("broken on purpose".into())),
            Some(Trouble::Late(by)) => self.clock.sleep(*by).await,
            _ => {}
        }
        // Google's condition means the same.
        if request.headers().get(GENERATION_MATCH).is_some_and(|value| value == "0") {
            request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        let _turn = if request.headers().contains_key(IF_NONE_MATCH) {
            Some(self.conditional_writes.lock().await)
        } else {
            None
        };
        let answer = self.service.call(request.map(s3s::Body::from)).await?;
        Ok(match trouble {
            Some(trouble) => trouble.spoil(answer).await,
            None => answer,
        })
    }
}

async fn serve(listener: TcpListener, served: Served, cancel: CancellationToken) {
    let server = Arc::new(auto::Builder::new(TokioExecutor::new()));
    let connections = TaskSet::new(&cancel);
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        let _ = socket.set_nodelay(true);
        let (server, cancel, served) = (Arc::clone(&server), cancel.clone(), served.clone());
        let service = service_fn(move |request: Request<Incoming>| served.clone().answer(request));
        connections.spawn(async move {
            let connection = server.serve_connection(TokioIo::new(socket), service);
            tokio::select! {
                () = cancel.cancelled() => {}
                outcome = connection => {
                    if let Err(error) = outcome {
                        tracing::debug!(error, "an S3 connection ended early");
                    }
                }
            }
        });
    }
    connections.shutdown().await;
}

fn failed(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "start S3 server", "the system refused").with_source(source)
}
