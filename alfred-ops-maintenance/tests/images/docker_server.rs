//! A private Docker engine, from Debian's package `docker.io`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alfred_ops_core::{Clock as _, SystemClock};
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// An engine with a folder and a socket of its own, without networks. It ends with its owner.
pub(crate) struct DockerServer {
    home: TempDir,
    daemon: Child,
}

impl DockerServer {
    /// Starts it. Where the machine does not let an engine start, says so as a skipped test and returns none.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        let home = tempfile::Builder::new().prefix("alfred-ops-docker-").tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let log = std::fs::File::create(path("log")).unwrap();
        let socket = format!("unix://{}", path("socket").display());
        let daemon = Command::new("dockerd")
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .args(["-H", &socket, "--bridge=none", "--iptables=false", "--shutdown-timeout=1"])
            .args(["--storage-driver=vfs", "--default-ulimit", "nofile=4096:4096"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("dockerd runs: install Debian's packages docker.io and busybox-static");
        let mut server = Self { home, daemon };
        let clock = SystemClock::new();
        while clock.monotonic() < START_LIMIT {
            if server.daemon.try_wait().unwrap().is_some() {
                break;
            }
            if server.docker(&["version"]).is_ok() {
                return Some(server);
            }
            clock.sleep(POLL).await;
        }
        let log = std::fs::read_to_string(server.home.path().join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join(" | ");
        println!("SKIPPED: {test} (this machine lets no Docker engine start: {tail})");
        eprintln!("SKIPPED: {test} (this machine lets no Docker engine start: {tail})");
        None
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.home.path().join("socket").display())
    }

    /// Runs the official client.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("docker")
            .env("DOCKER_HOST", self.address())
            .env("DOCKER_CONFIG", self.home.path().join("client"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// Makes an image whose only content is `content`, and which can sleep. Returns its id.
    pub(crate) fn image(&self, content: &str, tag: &str) -> String {
        let root = self.home.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy("/bin/busybox", root.join("bin/busybox"))
            .expect("install Debian's package busybox-static");
        std::fs::write(root.join("content"), content).unwrap();
        let tar = self.home.path().join("image.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status().unwrap();
        assert!(packed.success());
        self.docker(&["import", &tar.display().to_string(), tag]).unwrap()
    }

    /// Runs a container that sleeps.
    pub(crate) fn sleeper(&self, name: &str, image: &str) {
        let run = ["run", "-d", "--network", "none", "--name", name, image, "/bin/busybox", "sleep", "3600"];
        self.docker(&run).unwrap();
    }

    /// All images, each as `repository:tag` or as an id without a tag, sorted.
    pub(crate) fn images(&self) -> Vec<String> {
        let all =
            self.docker(&["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]).unwrap();
        let named = all.lines().map(|line| line.split_once(' ').unwrap());
        let mut images: Vec<String> =
            named.map(|(name, id)| if name.contains("<none>") { id } else { name }.to_owned()).collect();
        images.sort();
        images
    }

    fn containers(&self) -> Vec<String> {
        self.docker(&["ps", "-aq"]).map(|ids| ids.lines().map(str::to_owned).collect()).unwrap_or_default()
    }
}

impl Drop for DockerServer {
    fn drop(&mut self) {
        for container in self.containers() {
            let _ = self.docker(&["rm", "-f", &container]);
        }
        // Asked to end, it ends containerd, too.
        let _ = Command::new("sh").args(["-c", &format!("kill {}", self.daemon.id())]).status();
        let _ = self.daemon.wait();
        for mount in mounts_below(self.home.path()) {
            let _ = Command::new("umount").arg("-l").arg(mount).status();
        }
    }
}

fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    places.filter(|place| place.starts_with(folder)).collect()
}
