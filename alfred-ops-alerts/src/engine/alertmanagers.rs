//! The Alertmanagers of an engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::group::Group;
use super::post::Post;
use super::{AlertEngine, AlertmanagerStatus};
use crate::alertmanager::{Alertmanager, AlertmanagerPolicy, PostedAlert};
use crate::evaluation::{GroupEvaluator, Posting};

/// The Alertmanagers of an engine, each of which is told of everything.
#[derive(Debug, Default)]
pub(super) struct Alertmanagers {
    policy: AlertmanagerPolicy,
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
    fn put(&self, alerts: &[PostedAlert]) {
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

impl AlertEngine {
    /// Lets what a group has to tell Alertmanagers after an evaluation at `now` wait for them.
    pub(super) fn post(
        &self,
        group: &Group,
        now: DateTime<Utc>,
        take: impl FnOnce(&mut GroupEvaluator, Posting<'_>) -> Vec<PostedAlert>,
    ) {
        let alertmanagers = &self.parts().alertmanagers;
        if !alertmanagers.posts().is_empty() {
            let posting = Posting { policy: &alertmanagers.policy, interval: group.interval, now };
            // Queued behind the group's lock, so that a newer state is never ahead of an older one.
            group.with(|evaluator| alertmanagers.put(&take(evaluator, posting)));
        }
    }
}
