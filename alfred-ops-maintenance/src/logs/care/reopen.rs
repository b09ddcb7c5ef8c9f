//! How a service is told to open its log anew.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use tokio::process::Command;

type Answer = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// How a service is told to open its log anew, after the file that it writes was renamed.
///
/// It is called with the path of the log, and dropped after 30 s. It is called again for the same file when a host died before
/// it knew of the first call, and at every run while the log is missing or a closed file is written to: it must do no harm then.
#[derive(Clone)]
pub struct ReopenHook {
    name: String,
    call: Arc<dyn Fn(PathBuf) -> Answer + Send + Sync>,
}

impl ReopenHook {
    /// Asks the host. `name` says what it does, for plans: "SIGUSR1 to nginx".
    #[must_use]
    pub fn new<F, A>(name: impl Into<String>, call: F) -> Self
    where
        F: Fn(PathBuf) -> A + Send + Sync + 'static,
        A: Future<Output = Result<()>> + Send + 'static,
    {
        Self { name: name.into(), call: Arc::new(move |path| Box::pin(call(path))) }
    }

    /// Runs a program, without a shell: `systemctl kill -s HUP agent`.
    ///
    /// Its output is not read. A call that is dropped kills it.
    #[must_use]
    pub fn command(program: impl Into<String>, arguments: &[&str]) -> Self {
        let program = program.into();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let name = [std::slice::from_ref(&program), &arguments].concat().join(" ");
        let shown = name.clone();
        Self::new(name, move |_| run(shown.clone(), program.clone(), arguments.clone()))
    }

    pub(super) async fn call(&self, path: PathBuf) -> Result<()> {
        (self.call)(path).await
    }
}

async fn run(shown: String, program: String, arguments: Vec<String>) -> Result<()> {
    let failed = |message: String| {
        Error::new(ErrorKind::Internal, "tell service to reopen its log", message).with_target(shown.clone())
    };
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    match status.await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

impl fmt::Debug for ReopenHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReopenHook").field(&self.name).finish()
    }
}

impl fmt::Display for ReopenHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
