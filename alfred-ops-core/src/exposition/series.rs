//! A series as a page names it.

use std::fmt;

use super::cause::{Malformed, Problem};
use super::{FamilyKind, LabelReader};
use crate::{Labels, Result};

/// A series as a page names it, or the labels of an exemplar.
///
/// Its syntax has been checked, but nothing has been decoded: whoever has met the same text before needs no labels.
/// Two different texts may name one series.
#[derive(Clone, Copy)]
pub struct Series<'t> {
    page: &'t str,
    start: usize,
    end: usize,
    /// Whether these are the labels of an exemplar, which has no name.
    is_exemplar: bool,
    /// The kind that the page declared last.
    kind: FamilyKind,
}

impl<'t> Series<'t> {
    pub(super) const fn new(page: &'t str, start: usize, end: usize) -> Self {
        Self { page, start, end, is_exemplar: false, kind: FamilyKind::Untyped }
    }

    pub(super) const fn of_kind(mut self, kind: FamilyKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) const fn kind(&self) -> FamilyKind {
        self.kind
    }

    pub(super) const fn of_exemplar(page: &'t str, start: usize, end: usize) -> Self {
        Self { page, start, end, is_exemplar: true, kind: FamilyKind::Untyped }
    }

    pub(super) const fn is_exemplar(&self) -> bool {
        self.is_exemplar
    }

    /// The text exactly as it stands on the page: `name{a="b"}`, blanks and escapes included.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.page.get(self.start..self.end).unwrap_or_default()
    }

    /// The number of its line, from 1. Counts the lines before it, which takes a moment on a long page.
    #[must_use]
    pub fn line(&self) -> usize {
        let before = self.page.get(..self.start).unwrap_or_default();
        memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1
    }

    /// The labels, the metric's name among them; those with empty values are left out. As in Prometheus 3 a number in `le`
    /// of a histogram or `quantile` of a summary is written as a float: `1` is `1.0`.
    ///
    /// Whoever decodes many series does so with one [`LabelReader`].
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the number of the line if a label occurs twice or is
    /// called `__name__`.
    pub fn labels(&self) -> Result<Labels> {
        LabelReader::new().read(self)
    }

    /// The error that something is wrong with this series.
    pub(super) fn malformed(&self, problem: Problem) -> crate::Error {
        Malformed::error(self.page, self.start, problem)
    }
}

impl fmt::Display for Series<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Series<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Series").field(&self.text()).finish()
    }
}

impl PartialEq for Series<'_> {
    /// Whether both have the same text.
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}
