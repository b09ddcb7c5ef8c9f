//! A side server on this machine.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result, blocking};
use async_trait::async_trait;

use super::SideServer;

const PORT: u16 = 5432;
const SOCKET_FOLDER_BYTES_MAX: usize = 90;
/// Recovery of a day's log is part of the start.
const START_WITHIN: Duration = Duration::from_secs(3600);

/// Side servers on this machine, from Postgres' own programs of the same major version.
///
/// They listen on a Unix socket in a folder that only their account may enter, and ask for no password. Postgres does not run as
/// root: a host that does names an account.
#[derive(Debug, Clone)]
pub struct LocalPostgres {
    programs: PathBuf,
    superuser: String,
    account: Option<(u32, u32)>,
    start_within: Duration,
}

impl LocalPostgres {
    /// With the programs in this folder, such as `/usr/lib/postgresql/17/bin`. `superuser` is a role of the restored cluster
    /// that may read everything.
    #[must_use]
    pub fn new(programs: impl Into<PathBuf>, superuser: impl Into<String>) -> Self {
        let (programs, superuser) = (programs.into(), superuser.into());
        Self { programs, superuser, account: None, start_within: START_WITHIN }
    }

    /// Runs servers as this user and group, to whom the restored files are given.
    #[must_use]
    pub const fn run_as(mut self, user: u32, group: u32) -> Self {
        self.account = Some((user, group));
        self
    }

    /// Sets how long a start with its recovery may take; an hour if not given.
    #[must_use]
    pub const fn start_within(mut self, limit: Duration) -> Self {
        self.start_within = limit;
        self
    }

    fn run(&self, action: &str, data: &Path, extra: &[String]) -> Result<bool> {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.arg(action).arg("-D").arg(data).args(extra);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        let status = command.status().map_err(|source| {
            problem(ErrorKind::NotFound, data, format!("pg_ctl cannot be run in {}", self.programs.display()))
                .with_remedy("name the folder of Postgres' programs of the server's major version")
                .with_source(source)
        })?;
        Ok(status.success())
    }

    /// What the server needs beside its data: our own rules of access, wherever the first server kept its own.
    fn prepare(&self, data: &Path) -> Result<PathBuf> {
        let home = home(data);
        let plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
        let text = home.display().to_string();
        // A socket's path is short, and the server's options pass a shell.
        if text.len() > SOCKET_FOLDER_BYTES_MAX || !text.chars().all(plain) || !home.is_absolute() {
            let message = format!("{text:?} cannot hold the server's socket");
            return Err(problem(ErrorKind::InvalidInput, data, message).with_remedy(
                "choose an absolute folder of at most 45 bytes: letters, digits, dots, hyphens, underscores",
            ));
        }
        // A server that a dead host began to start may be about to read them.
        let write = |name: &str, text: &str| match std::fs::read_to_string(home.join(name)) {
            Ok(there) if there == text => Ok(()),
            _ => std::fs::write(home.join(name), text).map_err(|source| refused(&home, source)),
        };
        std::fs::create_dir_all(&home).map_err(|source| refused(&home, source))?;
        write("postgresql.conf", "")?;
        write("pg_hba.conf", "local all all trust\n")?;
        write("pg_ident.conf", "")?;
        if let Some(account) = self.account {
            give(&home, account)?;
            give(data, account)?;
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&home, private).map_err(|source| refused(&home, source))?;
        Ok(home)
    }

    fn start_blocking(&self, data: &Path, settings: &[(String, String)]) -> Result<PostgresOptions> {
        let options = PostgresOptions::new(home(data).display().to_string(), self.superuser.clone())
            .with_port(PORT)
            .with_application_name("alfred-ops guard");
        if self.run("status", data, &[])? {
            return Ok(options);
        }
        let home = self.prepare(data)?;
        let (log, of_home) = (home.join("log"), |name: &str| home.join(name).display().to_string());
        let own = [
            ("config_file", of_home("postgresql.conf")),
            ("hba_file", of_home("pg_hba.conf")),
            ("ident_file", of_home("pg_ident.conf")),
            ("unix_socket_directories", home.display().to_string()),
            ("listen_addresses", String::new()),
            ("port", PORT.to_string()),
        ];
        // On the command line they stand above those that ALTER SYSTEM has set.
        let given = settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let mut all = String::new();
        for (name, value) in given.chain(own) {
            if value.contains(['\'', '\\', '\0'])
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
            {
                let message = format!("the setting {name:?} has the value {value:?}, which no shell takes");
                return Err(problem(ErrorKind::InvalidInput, data, message));
            }
            all.push_str(&format!("-c {name}='{value}' "));
        }
        let start = [
            "-w".to_owned(),
            "-t".to_owned(),
            self.start_within.as_secs().max(1).to_string(),
            "-l".to_owned(),
            log.display().to_string(),
            "-o".to_owned(),
            all,
        ];
        // Where it fails because the start that a dead host had begun came first, that server is as good.
        if self.run("start", data, &start)? || self.run("status", data, &[])? {
            return Ok(options);
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let tail: Vec<&str> = said.lines().rev().take(4).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join(" | ");
        Err(problem(ErrorKind::Unavailable, data, format!("the server does not come up: {tail}")))
    }
}

#[async_trait]
impl SideServer for LocalPostgres {
    async fn start(
        &self,
        data: &Path,
        settings: &[(String, String)],
        _: &JobContext,
    ) -> Result<PostgresOptions> {
        let (this, data, settings) = (self.clone(), data.to_owned(), settings.to_vec());
        blocking(move || this.start_blocking(&data, &settings)).await?
    }

    async fn stop(&self, data: &Path, _: &JobContext) -> Result<()> {
        let (this, data) = (self.clone(), data.to_owned());
        blocking(move || {
            let stop = ["-m", "fast", "-w"].map(ToOwned::to_owned);
            if !this.run("status", &data, &[])? || this.run("stop", &data, &stop)? {
                // Its settings and its log; what cannot be removed does no harm.
                drop(std::fs::remove_dir_all(home(&data)));
                return Ok(());
            }
            Err(problem(ErrorKind::Unavailable, &data, "the server does not stop".to_owned()))
        })
        .await?
    }
}

/// Beside the data directory, for its socket, its log and its settings.
fn home(data: &Path) -> PathBuf {
    data.with_extension("run")
}

/// Gives a folder and all in it to an account. Links are not followed.
fn give(path: &Path, account: (u32, u32)) -> Result<()> {
    let failed = |source| refused(path, source);
    chown(path, Some(account.0), Some(account.1)).map_err(failed)?;
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            give(&entry.path(), account)?;
        } else if kind.is_file() {
            chown(entry.path(), Some(account.0), Some(account.1)).map_err(failed)?;
        }
    }
    Ok(())
}

fn refused(path: &Path, source: std::io::Error) -> Error {
    problem(ErrorKind::Unavailable, path, "the file system refused".to_owned()).with_source(source)
}

fn problem(kind: ErrorKind, path: &Path, message: String) -> Error {
    Error::new(kind, "run a side server", message).with_target(path.display().to_string())
}
