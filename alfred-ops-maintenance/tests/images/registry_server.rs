//! A private registry, from Debian's package `docker-registry`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alfred_ops_core::testing::servers::free_port;
use alfred_ops_core::{Clock as _, SystemClock};
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Its only user is `ops` with the password `geheim`.
const USERS: &str = "ops:$2b$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu\n";

/// A registry with a folder and a port of its own. It ends with its owner.
pub(crate) struct RegistryServer {
    home: TempDir,
    port: u16,
    server: Child,
}

impl RegistryServer {
    pub(crate) async fn start(deletes: bool, users: bool) -> Self {
        let home = tempfile::Builder::new().prefix("alfred-ops-registry-").tempdir().unwrap();
        let port = free_port().unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        std::fs::write(path("users"), USERS).unwrap();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    \
             enabled: {deletes}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            path("storage")
        );
        if users {
            config += &format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path("users"));
        }
        std::fs::write(path("config.yml"), config).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let server = Command::new("docker-registry")
            .args(["serve", &path("config.yml")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("docker-registry runs: install Debian's package docker-registry");
        let mut server = Self { home, port, server };
        let clock = SystemClock::new();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.server.try_wait().unwrap();
            assert!(ended.is_none() && clock.monotonic() < START_LIMIT, "{}", server.log());
            clock.sleep(POLL).await;
        }
        server
    }

    /// What its images' names begin with.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// Removes the blobs that no manifest needs, with the registry's own command.
    pub(crate) fn collect_garbage(&self) {
        let done = Command::new("docker-registry")
            .args(["garbage-collect", &self.config().display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "{}", self.log());
    }

    /// The bytes of all blobs.
    pub(crate) fn blob_bytes(&self) -> u64 {
        fn below(path: PathBuf) -> u64 {
            let Ok(entries) = std::fs::read_dir(&path) else { return 0 };
            entries
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    if entry.file_type().unwrap().is_dir() {
                        below(entry.path())
                    } else {
                        entry.metadata().unwrap().len()
                    }
                })
                .sum()
        }
        below(self.home.path().join("storage/docker/registry/v2/blobs"))
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("config.yml")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
