//! Where values come from.

use std::fmt;

use serde_json::{Map, Value};

use super::{ConfigProblem, FromConfig, Section};
use crate::{Error, ErrorKind, Result};

/// Sections that the environment may open below one another.
const DEPTH_MAX: usize = 16;

/// A configuration that is not yet typed: a document, and what the environment puts over it.
pub struct ConfigTree {
    root: Value,
    problems: Vec<ConfigProblem>,
}

impl ConfigTree {
    /// Nothing: everything is to come from the environment or from defaults.
    #[must_use]
    pub fn empty() -> Self {
        Self { root: Value::Object(Map::new()), problems: Vec::new() }
    }

    /// A TOML document.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with line and column for text that is no TOML.
    pub fn from_toml(text: &str) -> Result<Self> {
        let root = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
            no_document("TOML", &format!("line {line}: {}", error.message()))
        })?;
        Ok(Self { root, problems: Vec::new() })
    }

    /// A YAML document.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with line and column for text that is no YAML.
    pub fn from_yaml(text: &str) -> Result<Self> {
        let root: Value = serde_saphyr::from_str(text).map_err(|error| {
            let text = error.to_string();
            no_document("YAML", text.lines().next().unwrap_or_default())
        })?;
        let root = if root.is_null() { Value::Object(Map::new()) } else { root };
        Ok(Self { root, problems: Vec::new() })
    }

    /// Puts variables of the environment over the document: `PREFIX__BACKUP__SLOT=x` sets `backup.slot`.
    /// Names are read in lower case; variables without the prefix are none of ours.
    #[must_use]
    pub fn with_environment<K, V>(mut self, prefix: &str, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<str>,
        V: Into<String>,
    {
        for (name, value) in variables {
            let Some(path) = name.as_ref().strip_prefix(prefix).and_then(|rest| rest.strip_prefix("__"))
            else {
                continue;
            };
            let parts: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
            if !set(&mut self.root, &parts, value.into()) {
                self.problems.push(ConfigProblem {
                    path: parts.join("."),
                    what: format!("the variable {} does not fit the document", name.as_ref()),
                    remedy: "name a field of a section".to_owned(),
                });
            }
        }
        self
    }

    /// Reads the whole tree.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with every problem: path, value and remedy. Secrets are not shown.
    pub fn read<T: FromConfig>(mut self) -> Result<T> {
        let read = Section::read(String::new(), &self.root, &mut self.problems);
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(report(&self.problems)),
        }
    }
}

impl fmt::Debug for ConfigTree {
    /// The values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigTree").finish_non_exhaustive()
    }
}

fn set(node: &mut Value, path: &[String], value: String) -> bool {
    let (Value::Object(fields), Some((name, rest))) = (node, path.split_first()) else { return false };
    if name.is_empty() || path.len() > DEPTH_MAX {
        return false;
    }
    if rest.is_empty() {
        fields.insert(name.clone(), Value::String(value));
        return true;
    }
    set(fields.entry(name).or_insert_with(|| Value::Object(Map::new())), rest, value)
}

fn no_document(format: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "read configuration", format!("it is no {format}: {why}"))
}

fn report(problems: &[ConfigProblem]) -> Error {
    let list: Vec<String> = problems.iter().map(ConfigProblem::to_string).collect();
    let message = match list.len() {
        0 => "a reader gave up without saying why".to_owned(),
        1 => list.concat(),
        count => format!("{count} problems: {}", list.join(" | ")),
    };
    Error::new(ErrorKind::InvalidInput, "read configuration", message)
}
