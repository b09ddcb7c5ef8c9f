//! What all trials stand on: a repository, clients of Postgres, waiting for it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{LocalBlobStore, Repository, RepositoryOptions, WalArchiver};
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    ClockExt as _, Error, ErrorKind, JobContext, Result, SystemClock, TaskHandle, TaskSet,
};

/// What a server or a host needs to get ready.
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// The repository in a folder.
pub(super) async fn repository(folder: &Path, context: &JobContext) -> Result<Repository> {
    let store = Arc::new(LocalBlobStore::open(folder).await?);
    Repository::open_or_create(store, RepositoryOptions::default(), context).await
}

/// One run of an archiver, until the tasks are shut down.
pub(super) fn archive(
    archiver: &Arc<WalArchiver>,
    context: &JobContext,
    tasks: &TaskSet,
) -> TaskHandle<Result<()>> {
    let context = context.clone().with_cancel(tasks.cancel_token().clone());
    let archiver = Arc::clone(archiver);
    tasks.spawn(async move { archiver.run(&context).await })
}

/// A client program that talks to a server.
pub(super) fn client(server: &PostgresServer, program: &str) -> Command {
    let mut command = Command::new(server.binaries().program(program));
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &server.options().port.to_string()]);
    command
}

/// A client that executes statements one after another until they end or it is killed; what it prints goes to
/// `output`.
pub(super) fn session(
    server: &PostgresServer,
    statements: impl Iterator<Item = String>,
    output: Stdio,
) -> Result<Child> {
    let script = tempfile::tempfile().and_then(|mut file| {
        use std::io::{Seek as _, Write as _};
        file.write_all(statements.collect::<String>().as_bytes())?;
        file.rewind()?;
        Ok::<File, std::io::Error>(file)
    });
    let mut psql = client(server, "psql");
    psql.args(["-X", "-q", "-A", "-t", "-d", "postgres"]);
    psql.stdin(script.map_err(system("write a script"))?).stdout(output).stderr(Stdio::null());
    psql.spawn().map_err(system("start a client"))
}

/// Runs a program and returns what it prints.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(system("start a program"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let words = format!("{}{text}", String::from_utf8_lossy(&output.stderr));
    Err(Error::new(ErrorKind::Internal, "run a program", words)
        .with_target(command.get_program().display().to_string()))
}

/// Waits until a query answers as wanted.
pub(super) async fn until(server: &PostgresServer, sql: &str, wanted: &str) -> Result<()> {
    let clock = SystemClock::shared();
    let reached = async {
        while server.psql(sql)? != wanted {
            clock.sleep(POLL).await;
        }
        Ok(())
    };
    clock.timeout(LIMIT, "wait for Postgres", reached).await?
}

/// Something is not as it should be.
pub(super) fn breach(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, "look at what is left", what)
}

/// An error of the machine.
pub(super) fn system(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::new(ErrorKind::Internal, operation, "the system refused").with_source(source)
}
