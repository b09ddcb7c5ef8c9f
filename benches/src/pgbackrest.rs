//! The peer: pgBackRest with bundles and block incrementals, zstd 3 and two processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use alfred_ops_core::{Error, ErrorKind, Result, blocking};

use crate::cluster::Cluster;

/// pgBackRest with a repository of its own beside a cluster.
pub(crate) struct PgBackRest {
    program: PathBuf,
    home: PathBuf,
}

impl PgBackRest {
    /// Makes its repository, empty.
    pub(crate) async fn set_up(cluster: &Cluster) -> Result<Self> {
        let home = cluster.home.path().join("pgbackrest");
        let peer = Self { program: program()?, home };
        let text = peer.configuration(cluster);
        let account = cluster.server.account();
        for folder in [&peer.home, &peer.repository(), &peer.home.join("work")] {
            std::fs::create_dir(folder).map_err(|source| failed("make a folder", source))?;
            account.own(folder)?;
        }
        std::fs::write(peer.home.join("conf"), text).map_err(|source| failed("write its file", source))?;
        peer.run(cluster, &["stanza-create"]).await?;
        Ok(peer)
    }

    fn configuration(&self, cluster: &Cluster) -> String {
        let work = self.home.join("work");
        let work = work.display();
        format!(
            "[global]\nrepo1-path={}\nrepo1-bundle=y\nrepo1-block=y\ncompress-type=zst\ncompress-level=3\n\
             process-max=2\narchive-check=n\nstart-fast=y\nlog-level-console=error\nlog-level-file=off\n\
             log-path={work}\nlock-path={work}\nspool-path={work}\n[main]\npg1-path={}\npg1-port={}\n\
             pg1-socket-path={}\npg1-user=postgres\n",
            self.repository().display(),
            cluster.server.data_dir().display(),
            cluster.server.options().port,
            cluster.sockets.path().display(),
        )
    }

    /// Where it stores.
    pub(crate) fn repository(&self) -> PathBuf {
        self.home.join("repo")
    }

    /// Removes it with all that it stored.
    pub(crate) fn remove(self) -> Result<()> {
        crate::cluster::remove(&self.home)
    }

    /// Takes a backup of the given type.
    pub(crate) async fn back_up(&self, cluster: &Cluster, kind: &str) -> Result<()> {
        self.run(cluster, &[&format!("--type={kind}"), "backup"]).await
    }

    /// Restores the newest backup into an empty folder.
    pub(crate) async fn restore(&self, cluster: &Cluster, into: &Path) -> Result<()> {
        std::fs::create_dir(into).map_err(|source| failed("make a folder", source))?;
        cluster.server.account().own(into)?;
        self.run(cluster, &[&format!("--pg1-path={}", into.display()), "--type=none", "restore"]).await
    }

    async fn run(&self, cluster: &Cluster, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg(format!("--config={}", self.home.join("conf").display())).arg("--stanza=main");
        command.args(arguments);
        cluster.server.account().apply(&mut command);
        let output =
            blocking(move || command.output()).await?.map_err(|source| failed("start it", source))?;
        if output.status.success() {
            return Ok(());
        }
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).trim().replace('\n', " | ");
        Err(Error::new(ErrorKind::Internal, "run pgBackRest", words))
    }
}

/// The program that `scripts/bench` installs.
fn program() -> Result<PathBuf> {
    let named = std::env::var_os("ALFRED_OPS_PGBACKREST").map(PathBuf::from);
    named.filter(|path| path.is_file()).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "find pgBackRest", "ALFRED_OPS_PGBACKREST names no file")
            .with_remedy("run the benchmark by scripts/bench, which installs it")
    })
}

fn failed(what: &str, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "run pgBackRest", format!("cannot {what}")).with_source(source)
}
