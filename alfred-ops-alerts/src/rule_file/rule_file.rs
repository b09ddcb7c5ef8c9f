//! A rule file.

use std::path::Path;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::read_rules::read;
use super::write_rules::write;
use crate::discovery::matching_files;
use crate::prometheus_config::{FileProblem, FileProblems, ReadOptions};
use crate::rule::RuleGroup;

/// How large a rule file may be. Those of large installations reach a megabyte.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The groups of a rule file, as Prometheus reads them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RuleFile {
    /// The groups in the file's order.
    pub groups: Vec<RuleGroup>,
    /// What is not wrong but hardly meant: the same rule twice.
    pub warnings: Vec<FileProblem>,
}

impl RuleFile {
    /// A file of these groups.
    #[must_use]
    pub fn of_groups(groups: impl IntoIterator<Item = RuleGroup>) -> Self {
        Self { groups: groups.into_iter().collect(), warnings: Vec::new() }
    }

    /// Reads the text of a rule file. Every expression and template in it is read as well.
    ///
    /// ```
    /// use alfred_ops_alerts::{ReadOptions, RuleFile};
    ///
    /// let text = "groups:\n- name: agents\n  rules:\n  - alert: AgentDown\n    expr: up ==\n    fro: 2m\n";
    /// let problems = RuleFile::parse(text, &ReadOptions::new("rules.yml")).unwrap_err();
    /// assert_eq!(
    ///     problems.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
    ///     [
    ///         "rules.yml:5:16: groups[0].rules[0].expr: unexpected end of input after \"==\" (the operator needs a right side)",
    ///         "rules.yml:6:5: groups[0].rules[0].fro: the field is unknown (did you mean `for`?)",
    ///     ]
    /// );
    /// ```
    ///
    /// # Errors
    /// All mistakes of the file, with their places.
    pub fn parse(text: &str, options: &ReadOptions) -> Result<Self, FileProblems> {
        read(text, options)
    }

    /// Reads a rule file.
    ///
    /// # Errors
    /// The file system's, and all mistakes of the file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = load_text(path, "read rule file")?;
        Ok(Self::parse(&text, &ReadOptions::new(path.display().to_string()))?)
    }

    /// Reads all rule files that a path means, which may have `*` in its last part.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`NotFound`](ErrorKind::NotFound) for a path without `*` where no file is.
    pub fn load_all(pattern: &Path) -> Result<Vec<RuleGroup>> {
        let files = matching_files(pattern).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "find rule files", "the folder cannot be read")
                .with_target(pattern.display().to_string())
                .with_source(error)
        })?;
        let many = pattern.to_string_lossy().contains(['*', '?', '[']);
        if files.is_empty() && !many {
            return Err(Error::new(ErrorKind::NotFound, "find rule files", "there is no such file")
                .with_target(pattern.display().to_string()));
        }
        let mut groups = Vec::new();
        for file in files {
            groups.extend(Self::load(&file)?.groups);
        }
        Ok(groups)
    }

    /// The file's text, which Prometheus reads as well.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        write(&self.groups)
    }
}

/// The text of a file that is not too large.
pub(super) fn load_text(path: &Path, operation: &'static str) -> Result<String> {
    let failed = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            std::io::ErrorKind::InvalidData => ErrorKind::InvalidInput,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, operation, "the file cannot be read")
            .with_target(path.display().to_string())
            .with_source(error)
    };
    if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::ResourceExhausted, operation, message)
            .with_target(path.display().to_string()));
    }
    std::fs::read_to_string(path).map_err(failed)
}
