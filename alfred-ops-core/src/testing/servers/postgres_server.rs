//! A private Postgres server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Account, PostgresBinaries, free_port};
use crate::{Clock as _, Error, ErrorKind, PostgresOptions, Result, SystemClock};

/// How long a server may take to come up. Recovery of a restored cluster is part of it.
const START_LIMIT: Duration = Duration::from_secs(120);
const START_POLL: Duration = Duration::from_millis(10);

/// A running Postgres server with its own data directory, stopped when dropped.
///
/// The superuser is `postgres`; connections over loopback are trusted unless the builder says otherwise.
#[derive(Debug)]
pub struct PostgresServer {
    child: Child,
    port: u16,
    data: PathBuf,
    binaries: PostgresBinaries,
    account: Account,
    settings: Vec<(String, String)>,
    home: Option<TempDir>,
}

/// What a [`PostgresServer`] is started with.
#[derive(Debug, Clone)]
pub struct PostgresServerBuilder {
    binaries: PostgresBinaries,
    settings: Vec<(String, String)>,
    hba: Option<String>,
    initdb: Vec<String>,
}

impl PostgresServerBuilder {
    /// Adds a line of `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Replaces `pg_hba.conf`.
    #[must_use]
    pub fn hba(mut self, text: impl Into<String>) -> Self {
        self.hba = Some(text.into());
        self
    }

    /// Adds an argument of `initdb`.
    #[must_use]
    pub fn initdb_arg(mut self, argument: impl Into<String>) -> Self {
        self.initdb.push(argument.into());
        self
    }

    /// The major version of the programs, such as 17.
    ///
    /// # Errors
    /// If the server's program cannot be run.
    pub fn version(&self) -> Result<u32> {
        let text = run(Command::new(self.binaries.program("postgres")).arg("--version"))?;
        let number = text.split(|character: char| !character.is_ascii_digit()).find(|part| !part.is_empty());
        number.and_then(|number| number.parse().ok()).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "ask Postgres for its version", format!("it said {text:?}"))
        })
    }

    /// Makes a new cluster in a temporary folder and starts it.
    ///
    /// # Errors
    /// With the server's own words if it cannot be made or does not come up.
    pub async fn start(self) -> Result<PostgresServer> {
        let account = Account::find()?;
        let home =
            tempfile::Builder::new().prefix("alfred-ops-pg-").tempdir().map_err(io("make a folder"))?;
        account.own(home.path())?;
        let data = home.path().join("data");
        let mut initdb = Command::new(self.binaries.program("initdb"));
        initdb.args(["-U", "postgres", "--auth=trust", "--data-checksums", "--no-sync", "--locale=C.UTF-8"]);
        initdb.args(&self.initdb).arg("-D").arg(&data);
        run(account.apply(&mut initdb))?;
        if let Some(hba) = &self.hba {
            std::fs::write(data.join("pg_hba.conf"), hba).map_err(io("write pg_hba.conf"))?;
        }
        let mut server = PostgresServer::start_in(data, self.binaries, self.settings).await?;
        server.home = Some(home);
        Ok(server)
    }
}

impl PostgresServer {
    /// A new cluster of the installed Postgres.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if none is installed.
    pub fn builder() -> Result<PostgresServerBuilder> {
        Ok(Self::builder_of(PostgresBinaries::find()?))
    }

    /// A new cluster of these programs.
    #[must_use]
    pub const fn builder_of(binaries: PostgresBinaries) -> PostgresServerBuilder {
        PostgresServerBuilder { binaries, settings: Vec::new(), hba: None, initdb: Vec::new() }
    }

    /// Starts a server on an existing data directory, such as a restored one, and waits until it accepts
    /// connections. The directory is given to the server's account and stays when the server is dropped.
    ///
    /// # Errors
    /// With the last lines of the server's log if it does not come up.
    pub async fn start_in(
        data: PathBuf,
        binaries: PostgresBinaries,
        settings: Vec<(String, String)>,
    ) -> Result<Self> {
        let account = Account::find()?;
        account.own_tree(&data)?;
        let port = free_port()?;
        let child = launch(&data, port, &binaries, account, &settings)?;
        let mut server = Self { child, port, data, binaries, account, settings, home: None };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Starts a standby that follows this server, copied by the official client, its tablespaces moved from the
    /// first folder of each pair to the second. `SELECT pg_promote()` ends that.
    ///
    /// # Errors
    /// As [`start_in`](Self::start_in); with the client's words if the copy fails.
    pub async fn start_standby(&self, tablespaces: &[(&Path, &Path)]) -> Result<Self> {
        let home = self.account.private_folder("alfred-ops-standby-")?;
        let data = home.path().join("data");
        let mut copy = Command::new(self.binaries.program("pg_basebackup"));
        copy.args(["-X", "stream", "-c", "fast", "-h", "127.0.0.1", "-U", "postgres"]);
        copy.args(["-p", &self.port.to_string(), "-D"]).arg(&data);
        for (from, to) in tablespaces {
            copy.arg("-T").arg(format!("{}={}", from.display(), to.display()));
        }
        run(self.account.apply(&mut copy))?;
        self.follow(&data).map_err(io("set up a standby"))?;
        let mut standby = Self::start_in(data, self.binaries.clone(), self.settings.clone()).await?;
        standby.home = Some(home);
        Ok(standby)
    }

    /// Makes the server in `data` one that follows this one. The client's own option for that writes what only
    /// its own version knows.
    fn follow(&self, data: &Path) -> std::io::Result<()> {
        use std::io::Write as _;
        std::fs::write(data.join("standby.signal"), "")?;
        let mut settings = std::fs::File::options().append(true).open(data.join("postgresql.auto.conf"))?;
        let port = self.port;
        writeln!(settings, "primary_conninfo = 'host=127.0.0.1 port={port} user=postgres'")
    }

    /// Starts the server again after [`stop`](Self::stop) or [`kill`](Self::kill), on the same port.
    ///
    /// # Errors
    /// As [`start_in`](Self::start_in).
    pub async fn restart(&mut self) -> Result<()> {
        self.stop();
        self.child = launch(&self.data, self.port, &self.binaries, self.account, &self.settings)?;
        self.wait_until_ready().await
    }

    /// How the superuser reaches it.
    #[must_use]
    pub fn options(&self) -> PostgresOptions {
        PostgresOptions::new("127.0.0.1", "postgres").with_port(self.port)
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The programs it was started from.
    #[must_use]
    pub fn binaries(&self) -> &PostgresBinaries {
        &self.binaries
    }

    /// The account it runs as.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// Runs SQL through the official client and returns its unaligned output without headers.
    ///
    /// # Errors
    /// With the client's words if a statement fails.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.psql_in("postgres", sql)
    }

    /// As [`psql`](Self::psql), in another database.
    ///
    /// # Errors
    /// As [`psql`](Self::psql).
    pub fn psql_in(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.binaries.program("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"]);
        psql.args(["-p", &self.port.to_string(), "-d", database, "-c", sql]);
        run(&mut psql).map(|text| text.trim_end().to_owned())
    }

    /// Stops the server as a crash would: no shutdown checkpoint.
    pub fn kill(&mut self) {
        self.signal_and_wait(Signal::QUIT);
    }

    /// Stops the server cleanly, ending its sessions.
    pub fn stop(&mut self) {
        self.signal_and_wait(Signal::INT);
    }

    /// The server's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.data)).unwrap_or_default()
    }

    fn signal_and_wait(&mut self, signal: Signal) {
        if let (Ok(None), Some(pid)) =
            (self.child.try_wait(), i32::try_from(self.child.id()).ok().and_then(Pid::from_raw))
        {
            let _ = kill_process(pid, signal);
            let _ = self.child.wait();
        }
    }

    /// The eighth line of `postmaster.pid` turns to `ready` once connections are accepted.
    async fn wait_until_ready(&mut self) -> Result<()> {
        let clock = SystemClock::new();
        let started = clock.monotonic();
        loop {
            let status = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let ours = status.lines().next() == Some(&self.child.id().to_string());
            if ours && status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(io("watch Postgres"))?;
            if ended.is_some() || clock.monotonic() - started > START_LIMIT {
                let log = self.log();
                let tail: Vec<&str> = log.lines().rev().take(8).collect();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join(" | ");
                return Err(Error::new(ErrorKind::Unavailable, "start Postgres", tail)
                    .with_target(self.data.display().to_string()));
            }
            clock.sleep(START_POLL).await;
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
        if self.home.is_none() {
            let _ = std::fs::remove_file(log_path(&self.data));
        }
    }
}

/// Beside the data directory, so that the directory holds only what Postgres put there.
fn log_path(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn launch(
    data: &Path,
    port: u16,
    binaries: &PostgresBinaries,
    account: Account,
    settings: &[(String, String)],
) -> Result<Child> {
    let log = log_path(data);
    let open = || std::fs::File::options().create(true).append(true).open(&log).map_err(io("open the log"));
    let mut command = Command::new(binaries.program("postgres"));
    command.arg("-D").arg(data).args(["-p", &port.to_string()]);
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
    account.apply(&mut command).spawn().map_err(io("start Postgres"))
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(io("run a Postgres program"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let program = Path::new(command.get_program()).display().to_string();
    let words = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " | ");
    Err(Error::new(ErrorKind::Internal, "run a Postgres program", words).with_target(program))
}

fn io(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::new(ErrorKind::Unavailable, operation, "the system refused").with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cluster_survives_a_crash_and_ends_with_its_owner() {
        let mut server = PostgresServer::builder().unwrap().start().await.unwrap();
        server.psql("CREATE TABLE t AS SELECT 7 AS x").unwrap();
        server.kill();
        server.restart().await.unwrap();
        assert_eq!(server.psql("SELECT x FROM t").unwrap(), "7");
        let error = server.psql("SELECT nonsense").unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
        let data = server.data_dir().to_owned();
        drop(server);
        assert!(!data.exists());
    }
}
