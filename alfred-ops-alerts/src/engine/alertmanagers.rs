//! The Alertmanagers of an engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::AlertmanagerStatus;
use super::post::Post;
use crate::alertmanager::{Alertmanager, AlertmanagerPolicy, PostedAlert};

/// The Alertmanagers of an engine, each of which is told of everything.
#[derive(Debug, Default)]
pub(super) struct Alertmanagers {
    pub(super) policy: AlertmanagerPolicy,
    posts: Vec<Post>,
}

impl Alertmanagers {
    /// Alertmanagers whose names differ; what is wrong goes to `problems`.
    pub(super) fn new(
        alertmanagers: Vec<Arc<dyn Alertmanager>>,
        policy: AlertmanagerPolicy,
        problems: &mut Vec<String>,
    ) -> Self {
        problems.extend(policy.problems());
        let mut names = BTreeSet::new();
        for alertmanager in &alertmanagers {
            if !names.insert(alertmanager.name()) {
                problems.push(format!("two Alertmanagers are named {:?}", alertmanager.name()));
            }
        }
        let posts = alertmanagers.into_iter().map(|one| Post::new(one, &policy)).collect();
        Self { policy, posts }
    }

    /// Lets alerts wait for all of them.
    pub(super) fn put(&self, alerts: &[PostedAlert]) {
        if !alerts.is_empty() {
            self.posts.iter().for_each(|post| post.put(alerts));
        }
    }

    pub(super) fn posts(&self) -> &[Post] {
        &self.posts
    }

    pub(super) fn status(&self) -> Vec<AlertmanagerStatus> {
        self.posts.iter().map(Post::status).collect()
    }
}
