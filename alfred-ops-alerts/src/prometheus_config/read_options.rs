//! How a file is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a file is read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The file's name, for messages.
    pub file_name: String,
    /// The folder that relative paths in the file start from; they stay as they are if there is none.
    pub base_folder: Option<PathBuf>,
    /// The variables that `${NAME}` stands for. Without them such text stays as it is, as in Prometheus.
    variables: Option<Variables>,
}

#[derive(Clone)]
struct Variables(BTreeMap<String, String>);

/// Variables may hold secrets: only their names show.
impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl ReadOptions {
    /// Messages name the file `file_name`; nothing is expanded.
    #[must_use]
    pub fn new(file_name: impl Into<String>) -> Self {
        Self { file_name: file_name.into(), ..Self::default() }
    }

    /// Sets the folder that relative paths start from.
    #[must_use]
    pub fn with_base_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.base_folder = Some(folder.into());
        self
    }

    /// Replaces `${NAME}` in every text by the variable's value, except in relabelling rules, whose `${1}` and
    /// `${name}` mean groups. A variable that is not among these is a mistake of the file.
    #[must_use]
    pub fn with_variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables = Some(Variables(variables.into_iter().collect()));
        self
    }

    pub(super) fn variables(&self) -> Option<&BTreeMap<String, String>> {
        self.variables.as_ref().map(|variables| &variables.0)
    }
}
