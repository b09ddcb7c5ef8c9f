//! What a configuration file says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};

use super::read_global::read_file;
use super::report::Report;
use super::write_job::write_job;
use super::{FileProblem, FileProblems, ReadOptions};
use crate::job::{ScrapeJob, duration};
use crate::yaml::{Node, write};

/// How large a configuration file may be. Those of large installations reach a megabyte.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What Prometheus' configuration file says about scraping and rules.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct PrometheusConfig {
    /// What holds for all.
    pub global: GlobalConfig,
    /// The files that hold rules; `*` in the last part stands for many.
    pub rule_files: Vec<PathBuf>,
    /// What is scraped. Each job holds what the global section left it.
    pub jobs: Vec<ScrapeJob>,
}

/// What holds for all jobs and rules.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GlobalConfig {
    /// How often targets are scraped. Default 1 min.
    pub scrape_interval: Duration,
    /// How long one scrape may take. Default 10 s, or the interval if that is shorter.
    pub scrape_timeout: Duration,
    /// How often rules are evaluated. Default 1 min.
    pub evaluation_interval: Duration,
    /// Labels of everything that leaves this process.
    pub external_labels: BTreeMap<String, String>,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: Duration::from_secs(10),
            evaluation_interval: Duration::from_secs(60),
            external_labels: BTreeMap::new(),
        }
    }
}

impl PrometheusConfig {
    /// A configuration of these jobs, all else by default.
    #[must_use]
    pub fn of_jobs(jobs: impl IntoIterator<Item = ScrapeJob>) -> Self {
        Self { jobs: jobs.into_iter().collect(), ..Self::default() }
    }

    /// Reads a configuration file's text, as Prometheus 3 does. The second part names what stands in the file
    /// and is not used.
    ///
    /// # Errors
    /// All mistakes of the file, each with line, column and field.
    pub fn from_yaml(text: &str, options: &ReadOptions) -> Result<(Self, Vec<FileProblem>), FileProblems> {
        let report = Report::new(options);
        let config = read_file(&report, text);
        Ok((config, report.finish()?))
    }

    /// Reads a configuration file. Relative paths in it start from its folder.
    ///
    /// # Errors
    /// `NotFound` or `Unavailable` if the file cannot be read, `InvalidInput` with all its mistakes otherwise.
    pub fn load(path: &Path, options: &ReadOptions) -> Result<(Self, Vec<FileProblem>)> {
        let text = file_text(path)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let mut options = options.clone();
        options.base_folder.get_or_insert(folder);
        if options.file_name.is_empty() {
            options.file_name = path.display().to_string();
        }
        Ok(Self::from_yaml(&text, &options)?)
    }

    /// The configuration as a file for Prometheus. Reading it gives an equal configuration.
    ///
    /// It holds what the jobs hold, passwords included, so it is secret itself.
    #[must_use]
    pub fn to_yaml(&self) -> Secret {
        let global = &self.global;
        let labels = global.external_labels.iter().map(|(name, value)| (name, Some(Node::text(value))));
        let labels = (!global.external_labels.is_empty()).then(|| Node::map(labels));
        let duration = |value| Some(Node::plain(duration::format(value)));
        let files = self.rule_files.iter().map(|path| Node::text(path.display().to_string()));
        let document = Node::map([
            (
                "global",
                Some(Node::map([
                    ("scrape_interval", duration(global.scrape_interval)),
                    ("scrape_timeout", duration(global.scrape_timeout)),
                    ("evaluation_interval", duration(global.evaluation_interval)),
                    ("external_labels", labels),
                ])),
            ),
            ("rule_files", (!self.rule_files.is_empty()).then(|| Node::list(files))),
            ("scrape_configs", Some(Node::list(self.jobs.iter().map(write_job)))),
        ]);
        Secret::new(write(&document))
    }
}

fn file_text(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, "read configuration", "the file cannot be read")
            .with_target(path.display().to_string())
            .with_source(error)
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            "read configuration",
            format!("the file has {length} bytes, more than {FILE_BYTES_MAX}"),
        )
        .with_target(path.display().to_string())
        .with_remedy("split it or move targets into files of their own"));
    }
    std::fs::read_to_string(path).map_err(failed)
}
