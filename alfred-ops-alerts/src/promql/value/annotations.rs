//! What is dubious about an answer.

use std::collections::BTreeSet;

/// Kept of each kind: a query over many series can give rise to as many.
const KEPT_MAX: usize = 100;
/// Of a text that comes from elsewhere.
const CHARACTERS_MAX: usize = 1000;

/// What is dubious about an answer that is nonetheless given, in Prometheus' words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Annotations {
    warnings: BTreeSet<String>,
    infos: BTreeSet<String>,
}

impl Annotations {
    /// What is probably wrong with the query or the data.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }

    /// What may be.
    pub fn infos(&self) -> impl Iterator<Item = &str> {
        self.infos.iter().map(String::as_str)
    }

    /// Adds a warning in a server's own words. Of each kind a hundred are kept, each up to a thousand characters.
    #[must_use]
    pub fn with_warning(mut self, text: &str) -> Self {
        keep(&mut self.warnings, text);
        self
    }

    /// Adds what may be wrong, in a server's own words.
    #[must_use]
    pub fn with_info(mut self, text: &str) -> Self {
        keep(&mut self.infos, text);
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.warnings.is_empty() && self.infos.is_empty()
    }

    pub(crate) fn warn(&mut self, text: String) {
        if self.warnings.len() < KEPT_MAX {
            self.warnings.insert(format!("PromQL warning: {text}"));
        }
    }

    pub(crate) fn info(&mut self, text: String) {
        if self.infos.len() < KEPT_MAX {
            self.infos.insert(format!("PromQL info: {text}"));
        }
    }
}

fn keep(texts: &mut BTreeSet<String>, text: &str) {
    if texts.len() < KEPT_MAX {
        texts.insert(text.chars().take(CHARACTERS_MAX).collect());
    }
}
