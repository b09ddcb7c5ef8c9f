//! What was noticed while a file was read.

use std::cell::RefCell;
use std::path::PathBuf;

use super::{FileProblem, FileProblems, ReadOptions};
use crate::yaml::Place;

/// What was noticed while a file was read, and how it is read.
#[derive(Debug)]
pub(crate) struct Report<'o> {
    options: &'o ReadOptions,
    problems: RefCell<Vec<FileProblem>>,
    warnings: RefCell<Vec<FileProblem>>,
}

impl<'o> Report<'o> {
    pub(crate) const fn new(options: &'o ReadOptions) -> Self {
        Self { options, problems: RefCell::new(Vec::new()), warnings: RefCell::new(Vec::new()) }
    }

    pub(crate) fn refuse(&self, place: Place, path: &str, what: impl Into<String>, remedy: &str) {
        let problem = self.note(place, path, what.into(), remedy);
        self.problems.borrow_mut().push(problem);
    }

    pub(crate) fn warn(&self, place: Place, path: &str, what: impl Into<String>, remedy: &str) {
        let problem = self.note(place, path, what.into(), remedy);
        self.warnings.borrow_mut().push(problem);
    }

    fn note(&self, place: Place, path: &str, what: String, remedy: &str) -> FileProblem {
        FileProblem {
            file: self.options.file_name.clone(),
            line: place.line,
            column: place.column,
            path: path.to_owned(),
            what,
            remedy: remedy.to_owned(),
        }
    }

    /// A path of the file, from the folder that relative ones start from.
    pub(crate) fn resolved(&self, path: &str) -> PathBuf {
        match &self.options.base_folder {
            Some(folder) => folder.join(path),
            None => PathBuf::from(path),
        }
    }

    /// The text with `${NAME}` replaced, where variables are given; the name of one that is not set otherwise.
    pub(crate) fn expanded(&self, text: &str) -> Result<String, String> {
        let Some(variables) = self.options.variables() else { return Ok(text.to_owned()) };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            match after.split_once('}') {
                Some((name, after)) if is_variable(name) => {
                    out.push_str(variables.get(name).ok_or_else(|| name.to_owned())?);
                    rest = after;
                }
                _ => {
                    out.push_str("${");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The warnings, or all mistakes, each in the file's order.
    pub(crate) fn finish(self) -> Result<Vec<FileProblem>, FileProblems> {
        let sorted = |mut list: Vec<FileProblem>| {
            list.sort_by_key(|problem| (problem.line, problem.column));
            list
        };
        let problems = sorted(self.problems.into_inner());
        if problems.is_empty() { Ok(sorted(self.warnings.into_inner())) } else { Err(FileProblems(problems)) }
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
