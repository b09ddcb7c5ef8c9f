//! A target that is scraped.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::Labels;

use super::url_text;

/// A target that is scraped: where, how often, and what its samples are called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvedTarget {
    /// Its labels as it was found, before the job's rules.
    pub discovered: Labels,
    /// The labels of its samples: all but those that begin with `__`.
    pub labels: Labels,
    /// How often it is scraped.
    pub interval: Duration,
    /// How long one scrape may take.
    pub timeout: Duration,
    /// All labels after the job's rules, those that begin with `__` among them.
    pub(super) internal: Labels,
    pub(super) params: BTreeMap<String, Vec<String>>,
}

impl ResolvedTarget {
    /// The page's URL.
    #[must_use]
    pub fn url(&self) -> String {
        let part = |name| self.internal.get(name).unwrap_or_default();
        let (path, address) = (part("__metrics_path__"), url_text::host(part("__address__")));
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        let mut url = format!("{}://{address}{slash}{}", part("__scheme__"), url_text::path(path));
        let query = url_text::query(&self.params);
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query);
        }
        url
    }

    /// All labels after the job's rules, those that begin with `__` among them, without `__meta_…`.
    #[must_use]
    pub const fn internal_labels(&self) -> &Labels {
        &self.internal
    }
}
