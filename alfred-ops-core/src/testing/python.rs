//! Programs from the Python Package Index, as callers of our servers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Tests of one process share environments; only one makes them at a time.
static MAKING: Mutex<()> = Mutex::new(());

/// A Python environment of its own with some packages, made once for each folder. It blocks: call it from
/// [`blocking`](crate::blocking).
#[derive(Debug, Clone)]
pub struct Python {
    home: PathBuf,
}

impl Python {
    /// The environment with exactly these packages, such as `kubernetes==37.0.2`, below `folder`, which is
    /// `env!("CARGO_TARGET_TMPDIR")` for an integration test. It is made if it is not there, which takes Python 3 with `venv`
    /// and the network.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn with(folder: impl AsRef<Path>, packages: &[&str]) -> Self {
        let home = folder.as_ref().join(packages.join("-").replace("==", "-"));
        let environment = Self { home };
        let making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = environment.home.join("ready");
        if !ready.exists() {
            Self::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment.home));
            let install = ["-m", "pip", "install", "--quiet", "--no-input"];
            Self::run(environment.command("python").args(install).args(packages));
            if let Err(error) = std::fs::write(&ready, packages.join("\n")) {
                panic!("{} cannot be written: {error}", ready.display());
            }
        }
        drop(making);
        environment
    }

    /// A program of the environment: `python`, or one that a package brings.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.home.join("bin").join(program))
    }

    /// Runs a script, which must succeed, and returns what it printed.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn script(&self, path: &str, arguments: &[&str]) -> String {
        Self::run(self.command("python").arg(path).args(arguments))
    }

    /// Runs a command, which must succeed, and returns what it printed.
    ///
    /// # Panics
    /// If it cannot be started or fails.
    pub fn run(command: &mut Command) -> String {
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => panic!("{command:?} cannot be started: {error}"),
        };
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?} failed: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }
}
