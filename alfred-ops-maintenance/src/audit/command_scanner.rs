//! A scanner that the host has installed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, JobContext, Result};
use async_trait::async_trait;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::scanner_output::{parse_pip_audit, parse_trivy};
use super::{DependencyScan, DependencyScanner};

/// An image is fetched, unpacked and looked through.
const TIME_LIMIT: Duration = Duration::from_secs(600);
/// Reports on images full of findings reach tens of megabytes.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Runs a scanner that the host has installed and reads its JSON: pip-audit for Python's requirements, trivy for images.
///
/// The program is killed when its time is over or the future is dropped. What it writes to its standard error is not kept: it
/// may name URLs with credentials. It needs a tokio runtime with I/O enabled.
#[derive(Debug, Clone)]
pub struct CommandScanner {
    tool: Tool,
    program: PathBuf,
    subject: String,
    time_limit: Duration,
    output_bytes_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    PipAudit,
    Trivy,
}

impl Tool {
    const fn program(self) -> &'static str {
        match self {
            Self::PipAudit => "pip-audit",
            Self::Trivy => "trivy",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::PipAudit => &["--format", "json", "--progress-spinner", "off", "--requirement"],
            Self::Trivy => &["image", "--quiet", "--format", "json", "--scanners", "vuln"],
        }
    }

    const fn install(self) -> &'static str {
        match self {
            Self::PipAudit => "install pip-audit on the host, or name its path by with_program",
            Self::Trivy => "install trivy on the host, or name its path by with_program",
        }
    }

    /// pip-audit tells by its status that it found something.
    const fn succeeded(self, code: Option<i32>) -> bool {
        matches!((self, code), (_, Some(0)) | (Self::PipAudit, Some(1)))
    }
}

impl CommandScanner {
    /// Scans a file of Python requirements by pip-audit. Nothing runs yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a path that is empty, begins with `-` or is no text.
    pub fn pip_audit(requirements: impl Into<PathBuf>) -> Result<Self> {
        let path: OsString = requirements.into().into();
        Self::new(Tool::PipAudit, "requirements", path.to_string_lossy().into_owned())
    }

    /// Scans an image by trivy, such as `europe-docker.pkg.dev/p/r/agents:v1.2.3`. Nothing runs yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name that is empty, begins with `-` or holds blanks.
    pub fn trivy(image: impl Into<String>) -> Result<Self> {
        Self::new(Tool::Trivy, "image", image.into())
    }

    fn new(tool: Tool, field: &'static str, subject: String) -> Result<Self> {
        let odd = |character: char| character.is_control() || character == '\u{fffd}';
        let blank = tool == Tool::Trivy && subject.contains(char::is_whitespace);
        if subject.is_empty() || subject.starts_with('-') || subject.contains(odd) || blank {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "name what is scanned",
                format!("{field}: {subject:?} cannot be an argument of {}", tool.program()),
            )
            .with_remedy("give a plain name that does not begin with -"));
        }
        Ok(Self {
            tool,
            program: tool.program().into(),
            subject,
            time_limit: TIME_LIMIT,
            output_bytes_max: OUTPUT_BYTES_MAX,
        })
    }

    /// Another program, which takes the same arguments.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Other limits: how long it may run, and how much it may print.
    #[must_use]
    pub const fn with_limits(mut self, time: Duration, output_bytes_max: u64) -> Self {
        (self.time_limit, self.output_bytes_max) = (time, output_bytes_max);
        self
    }

    fn failed(&self, kind: ErrorKind, fault: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::new(kind, "scan dependencies", fault).with_target(&self.subject).with_remedy(remedy.into())
    }

    fn by_hand(&self) -> String {
        format!("run {} {} {} by hand", self.program.display(), self.tool.arguments().join(" "), self.subject)
    }

    async fn run(&self) -> Result<String> {
        let name = self.program.display();
        let broke = |source: std::io::Error| {
            self.failed(ErrorKind::Unavailable, format!("{name} cannot be run"), self.by_hand())
                .with_source(source)
        };
        let mut child = Command::new(&self.program)
            .args(self.tool.arguments())
            .arg(&self.subject)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => {
                    self.failed(ErrorKind::NotFound, format!("there is no {name}"), self.tool.install())
                }
                _ => broke(source),
            })?;
        let mut bytes = Vec::new();
        if let Some(output) = child.stdout.take() {
            let limit = self.output_bytes_max.saturating_add(1);
            output.take(limit).read_to_end(&mut bytes).await.map_err(broke)?;
        }
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > self.output_bytes_max {
            let fault = format!("{name} printed more than {} bytes", self.output_bytes_max);
            return Err(self.failed(ErrorKind::ResourceExhausted, fault, "raise the limit by with_limits"));
        }
        let status = child.wait().await.map_err(broke)?;
        // pip-audit has one status for findings and for its own failures; only with findings it prints.
        if !self.tool.succeeded(status.code()) || bytes.is_empty() {
            let fault = format!("{name} ended with {status}");
            return Err(self.failed(ErrorKind::Unavailable, fault, self.by_hand()));
        }
        String::from_utf8(bytes)
            .map_err(|_| self.failed(ErrorKind::Corrupt, format!("{name} printed no text"), self.by_hand()))
    }
}

#[async_trait]
impl DependencyScanner for CommandScanner {
    fn name(&self) -> &str {
        &self.subject
    }

    /// # Errors
    /// [`ErrorKind::NotFound`] if the host has no such program; [`ErrorKind::Timeout`], [`ErrorKind::ResourceExhausted`] if
    /// a limit is reached; [`ErrorKind::Unavailable`] if it fails; [`ErrorKind::Corrupt`] if it does not print what it should.
    async fn scan(&self, context: &JobContext) -> Result<DependencyScan> {
        let text = context.clock.timeout(self.time_limit, "scan dependencies", self.run()).await??;
        let scan = match self.tool {
            Tool::PipAudit => parse_pip_audit(&text, &self.subject),
            Tool::Trivy => parse_trivy(&text, &self.subject),
        };
        scan.map_err(|source| {
            let fault = format!("{} printed other JSON than expected", self.program.display());
            self.failed(ErrorKind::Corrupt, fault, self.by_hand()).with_source(source)
        })
    }
}
