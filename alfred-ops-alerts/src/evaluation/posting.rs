//! What a group has to tell Alertmanagers.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::GroupEvaluator;
use super::rule_state::RuleState;
use crate::alert::RuleHealth;
use crate::alertmanager::{AlertmanagerPolicy, PostReason, PostedAlert};

/// What a group has to tell Alertmanagers after an evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posting<'a> {
    pub(crate) policy: &'a AlertmanagerPolicy,
    /// How often the group is evaluated.
    pub(crate) interval: Duration,
    /// When it was evaluated.
    pub(crate) now: DateTime<Utc>,
}

impl GroupEvaluator {
    /// What is sent after an evaluation of the group, which is noted with the alerts. A rule that could not be evaluated
    /// sends nothing.
    pub(crate) fn take_posts(&mut self, posting: Posting<'_>) -> Vec<PostedAlert> {
        let good = |state: &RuleState| matches!(state.report.health, RuleHealth::Good { .. });
        self.take_posts_of(posting, good, |_| true)
    }

    /// What is sent after rules were evaluated on change: the alerts that have begun to fire, and nothing again.
    pub(crate) fn take_new_posts(&mut self, posting: Posting<'_>) -> Vec<PostedAlert> {
        let reacts = |state: &RuleState| state.reacts_to.is_some();
        self.take_posts_of(posting, reacts, |reason| reason == PostReason::Firing)
    }

    fn take_posts_of(
        &mut self,
        Posting { policy, interval, now }: Posting<'_>,
        rules: impl Fn(&RuleState) -> bool,
        reasons: impl Fn(PostReason) -> bool,
    ) -> Vec<PostedAlert> {
        let mut posts = Vec::new();
        for (rule, state) in self.checked.rules.iter().zip(&mut self.states) {
            if !rules(state) {
                continue;
            }
            for alert in state.alerts.values_mut() {
                if policy.due(alert, now).is_some_and(&reasons) {
                    alert.last_sent_at = Some(now);
                    posts.extend(policy.post(alert, rule.query.text(), interval, now));
                }
            }
        }
        posts
    }
}
