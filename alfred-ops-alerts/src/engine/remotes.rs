//! The sources of an engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::remote::Remote;
use crate::query_source::QuerySource;
use crate::rule::RuleSet;

/// The sources of an engine by their names.
#[derive(Debug, Default)]
pub(super) struct Remotes(BTreeMap<String, Arc<Remote>>);

impl Remotes {
    /// Sources whose names differ; what is wrong goes to `problems`.
    pub(super) fn new(sources: Vec<Arc<dyn QuerySource>>, problems: &mut Vec<String>) -> Self {
        let mut remotes: BTreeMap<String, Arc<Remote>> = BTreeMap::new();
        for source in sources {
            let name = source.name();
            match remotes.get(name) {
                Some(known) if known.is(&source) => {}
                Some(_) => problems.push(format!("two query sources are named {name:?}")),
                None => drop(remotes.insert(name.to_owned(), Arc::new(Remote::new(source)))),
            }
        }
        Self(remotes)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Remote>> {
        self.0.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.0.values()
    }

    /// What is wrong with the sources that groups name.
    pub(super) fn problems(&self, rules: &RuleSet) -> Vec<String> {
        let unknown = |name: &&String| !self.0.contains_key(*name);
        let groups = rules
            .groups()
            .filter_map(|group| group.source.as_ref().filter(unknown).map(|name| (group, name)));
        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let problem = groups.map(|(group, name)| {
            format!(
                "group {:?}: there is no query source {name:?} (there is {known}); add it by AlertEngineBuilder::query_source",
                group.name
            )
        });
        problem.collect()
    }
}
