//! Lists as the Admin API gives them: page by page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Items on one page where the request does not say.
const PAGE: usize = 100;

/// One page of a list. Its token is how many items came before.
pub(super) fn page(
    collection: &str,
    items: impl IntoIterator<Item = Value>,
    size: Option<usize>,
    token: &str,
) -> Value {
    let mut left = items.into_iter().skip(token.parse().unwrap_or(0));
    let page: Vec<Value> = left.by_ref().take(page_size(size)).collect();
    let seen = token.parse().unwrap_or(0) + page.len();
    let next = if left.next().is_some() { seen.to_string() } else { String::new() };
    json!({ collection: page, "nextPageToken": next })
}

pub(super) fn page_size(asked: Option<usize>) -> usize {
    asked.filter(|size| *size > 0).unwrap_or(PAGE)
}

/// Whether `name` is an item of the collection `parent/collection`, in whose path `-` stands for any name.
pub(super) fn is_in(name: &str, parent: &str, collection: &str) -> bool {
    let mut parts = name.split('/');
    let is_alike =
        |wanted: &str, part: Option<&str>| part.is_some_and(|part| wanted == "-" || wanted == part);
    parent.split('/').chain([collection]).all(|wanted| is_alike(wanted, parts.next())) && parts.count() == 1
}

/// Jobs and their executions by their full names: kept as they were added, and only listed.
#[derive(Debug, Default)]
pub(super) struct CloudRunJobs(BTreeMap<String, Value>);

impl CloudRunJobs {
    pub(super) fn add(&mut self, name: &str, mut document: Value) {
        document["name"] = json!(name);
        self.0.insert(name.to_owned(), document);
    }

    /// One page of a collection of theirs.
    pub(super) fn list(&self, parent: &str, collection: &str, size: Option<usize>, token: &str) -> Value {
        let found = self.0.iter().filter(|(name, _)| is_in(name, parent, collection));
        page(collection, found.map(|(_, document)| document.clone()), size, token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_listed_page_by_page_and_executions_across_jobs() {
        let mut jobs = CloudRunJobs::default();
        for name in ["p/a/jobs/j", "p/a/jobs/j/executions/e", "p/a/jobs/k/executions/e", "p/b/jobs/j"] {
            jobs.add(name, json!({}));
        }
        let check = |parent: &str, collection: &str, names: &[&str]| {
            let (mut found, mut token) = (Vec::new(), String::new());
            loop {
                let page = jobs.list(parent, collection, Some(1), &token);
                let items = page[collection].as_array().unwrap();
                found.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
                page["nextPageToken"].as_str().unwrap().clone_into(&mut token);
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(found, names, "{parent}");
        };
        check("p/a", "jobs", &["p/a/jobs/j"]);
        check("p/a/jobs/k", "executions", &["p/a/jobs/k/executions/e"]);
        check("p/a/jobs/-", "executions", &["p/a/jobs/j/executions/e", "p/a/jobs/k/executions/e"]);
        check("p/c", "jobs", &[]);
    }
}
