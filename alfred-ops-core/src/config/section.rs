//! Reading one section.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::nearest::nearest;
use super::{ConfigProblem, FromConfigValue};

/// A type that one section of a configuration describes.
///
/// ```
/// use std::time::Duration;
/// use alfred_ops_core::{ConfigTree, FromConfig, Section};
///
/// #[derive(Debug)]
/// struct Archive { slot: String, seal_after: Duration }
///
/// impl FromConfig for Archive {
///     fn from_config(section: &mut Section<'_>) -> Option<Self> {
///         let slot = section.required("slot");
///         let seal_after = section.or("seal_after", Duration::from_secs(5));
///         Some(Self { slot: slot?, seal_after: seal_after? })
///     }
/// }
///
/// let archive: Archive = ConfigTree::from_toml("slot = 'alfred'\nseal_after = '1m30s'")?.read()?;
/// assert_eq!(archive.seal_after, Duration::from_secs(90));
/// let error = ConfigTree::from_toml("slott = 7")?.read::<Archive>().unwrap_err().to_string();
/// assert!(error.contains("slot: it is missing") && error.contains("did you mean \"slot\"?"), "{error}");
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
pub trait FromConfig: Sized {
    /// Reads every field before it gives up, so that all problems are found; `None` after a problem.
    fn from_config(section: &mut Section<'_>) -> Option<Self>;
}

/// One section while it is read. Problems gather; fields that nobody asks for become problems at its end.
#[derive(Debug)]
pub struct Section<'a> {
    path: String,
    fields: &'a Map<String, Value>,
    asked: BTreeSet<&'static str>,
    problems: &'a mut Vec<ConfigProblem>,
}

impl<'a> Section<'a> {
    pub(super) fn read<T: FromConfig>(
        path: String,
        value: &'a Value,
        problems: &'a mut Vec<ConfigProblem>,
    ) -> Option<T> {
        let Value::Object(fields) = value else {
            problems.push(ConfigProblem { path, what: "it is no section".to_owned(), remedy: String::new() });
            return None;
        };
        let mut section = Section { path, fields, asked: BTreeSet::new(), problems };
        let read = T::from_config(&mut section);
        section.report_unknown();
        read
    }

    /// A field that must be there.
    pub fn required<T: FromConfigValue>(&mut self, name: &'static str) -> Option<T> {
        let value = self.optional(name)?;
        if value.is_none() {
            self.problem(name, "it is missing", format!("give {}", T::EXPECTED));
        }
        value
    }

    /// A field with a default.
    pub fn or<T: FromConfigValue>(&mut self, name: &'static str, default: T) -> Option<T> {
        self.optional(name).map(|value| value.unwrap_or(default))
    }

    /// A field that may be missing: the outer option tells of a problem, the inner of an absent field.
    pub fn optional<T: FromConfigValue>(&mut self, name: &'static str) -> Option<Option<T>> {
        self.asked.insert(name);
        let Some(value) = self.fields.get(name).filter(|value| !value.is_null()) else { return Some(None) };
        match T::from_value(value) {
            Ok(read) => Some(Some(read)),
            Err(why) => {
                let shown = if T::SECRET { "the secret".to_owned() } else { value.to_string() };
                let why = if why.is_empty() { format!("{shown} is not {}", T::EXPECTED) } else { why };
                self.problem(name, why, format!("give {}", T::EXPECTED));
                None
            }
        }
    }

    /// A text that another type reads, such as a URL.
    pub fn parsed<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let text: String = self.required(name)?;
        match text.parse() {
            Ok(read) => Some(read),
            Err(error) => {
                self.problem(name, error.to_string(), String::new());
                None
            }
        }
    }

    /// A section within this one that must be there.
    pub fn section<T: FromConfig>(&mut self, name: &'static str) -> Option<T> {
        self.asked.insert(name);
        let Some(value) = self.fields.get(name) else {
            self.problem(name, "the section is missing", String::new());
            return None;
        };
        let path = self.path_of(name);
        Section::read(path, value, self.problems)
    }

    /// A section within this one that may be missing: the outer option tells of a problem, the inner of an absent section.
    pub fn optional_section<T: FromConfig>(&mut self, name: &'static str) -> Option<Option<T>> {
        if self.fields.get(name).is_some_and(|value| !value.is_null()) {
            return self.section(name).map(Some);
        }
        self.asked.insert(name);
        Some(None)
    }

    /// A list of sections, empty if it is missing.
    pub fn sections<T: FromConfig>(&mut self, name: &'static str) -> Option<Vec<T>> {
        self.asked.insert(name);
        let values = match self.fields.get(name) {
            None => return Some(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.problem(name, "it is no list of sections", String::new());
                return None;
            }
        };
        let path = self.path_of(name);
        let read: Vec<Option<T>> = values
            .iter()
            .enumerate()
            .map(|(index, value)| Section::read(format!("{path}[{index}]"), value, self.problems))
            .collect();
        read.into_iter().collect()
    }

    /// Reports a problem that only the caller can see, such as a number out of range. Returns `None`, so
    /// that it can end a reader.
    pub fn refuse<T>(
        &mut self,
        name: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Option<T> {
        self.problem(name, what, remedy);
        None
    }

    fn problem(&mut self, name: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let path = self.path_of(name);
        self.problems.push(ConfigProblem { path, what: what.into(), remedy: remedy.into() });
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn report_unknown(&mut self) {
        let known: Vec<&str> = self.asked.iter().copied().collect();
        let fields = self.fields;
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let remedy = nearest(name, &known).map_or_else(
                || format!("known here: {}", known.join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            self.problem(name, "it is unknown", remedy);
        }
    }
}
