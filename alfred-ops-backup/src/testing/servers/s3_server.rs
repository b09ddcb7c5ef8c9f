//! An S3 server in this process.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Secret, TaskSet};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::IF_NONE_MATCH;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::S3Options;

const ACCESS_KEY: &str = "alfred";
const SECRET_KEY: &str = "alfred-local-only";

/// An S3 server (s3s over a temporary folder) that checks signatures. It ends with its owner.
#[derive(Debug)]
pub struct S3Server {
    endpoint: String,
    home: TempDir,
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
        tasks.spawn(serve(listener, service.build(), tasks.cancel_token().clone()));
        Ok(Self { endpoint, home, tasks })
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

    /// Stops the server and waits for its connections to end.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

async fn serve(listener: TcpListener, service: S3Service, cancel: CancellationToken) {
    let server = Arc::new(auto::Builder::new(TokioExecutor::new()));
    // s3s-fs looks and writes in two steps; one conditional write at a time makes them one, as S3 does.
    let conditional_writes = Arc::new(Mutex::new(()));
    let connections = TaskSet::new(&cancel);
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        let _ = socket.set_nodelay(true);
        let (server, cancel) = (Arc::clone(&server), cancel.clone());
        let (service, conditional_writes) = (service.clone(), Arc::clone(&conditional_writes));
        let service = service_fn(move |request: Request<Incoming>| {
            let (service, conditional_writes) = (service.clone(), Arc::clone(&conditional_writes));
            async move {
                let _turn = if request.headers().contains_key(IF_NONE_MATCH) {
                    Some(conditional_writes.lock().await)
                } else {
                    None
                };
                service.call(request.map(s3s::Body::from)).await
            }
        });
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
