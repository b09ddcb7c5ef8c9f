//! Plays a rule over series.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, TimeDelta, Utc};

use super::{AlertHistory, Backtest, Episode};
use crate::alert::{Alert, AlertState, Alerts, Held, Reason, Step, Transition};
use crate::evaluation::alert_labels;
use crate::promql::{Query, QueryOptions, QueryPlan, SeriesSource, Value, VectorSample};
use crate::rule::{AlertPart, CheckedRule, Rule, RuleSet};
use crate::template::Environment;

/// How many times a rule may be evaluated: a month at every five seconds.
const EVALUATIONS_MAX: i64 = 525_000;
/// How many alerts a rule may have at one time, as in an engine.
const ALERTS_MAX: usize = 10_000;
/// How many times alerts may stand in all; beyond it the rule needs no further proof.
const EPISODES_MAX: usize = 100_000;

/// Plays `rule` over the series of `source`, evaluated at the start of `range` and every `step` after it, and says when
/// its alerts would have been pending, fired and ended. Pure: nothing is written and nobody told.
///
/// It begins without alerts. What other rules record or raise is seen only if `source` holds it, and templates of labels
/// have no `query`.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for a rule that is none, a step of less than a millisecond and a range that
/// ends before it begins; [`ResourceExhausted`](ErrorKind::ResourceExhausted) for more than 525,000 evaluations or more
/// than 100,000 times at which alerts stood. Evaluations that fail are counted instead.
pub fn backtest(
    rule: &Rule,
    source: &dyn SeriesSource,
    range: RangeInclusive<DateTime<Utc>>,
    step: Duration,
) -> Result<Backtest> {
    let rules = RuleSet::new([rule.clone()])?;
    let (start, end, step) = checked_range(&range, step)?;
    let checked = rules.checked().iter().flat_map(|group| &group.rules);
    let Some((checked, part)) = checked.filter_map(|rule| Some((rule, rule.alert.as_ref()?))).next() else {
        return Err(Error::new(ErrorKind::Internal, "backtest rule", "the rule raises no alerts"));
    };
    let mut player = Player::new(checked, part, source, step);
    let mut report = Backtest {
        rule: rule.name.clone(),
        end: start,
        evaluations: 0,
        failures: 0,
        first_failure: None,
        alerts: Vec::new(),
    };
    let mut now = start;
    while now <= end {
        report.evaluations += 1;
        report.end = now;
        if let Err(error) = player.evaluate(now) {
            report.failures += 1;
            report.first_failure.get_or_insert((now, error));
        }
        if player.episodes > EPISODES_MAX {
            let message = format!("alerts stood more than {EPISODES_MAX} times by {now}");
            return Err(Error::new(ErrorKind::ResourceExhausted, "backtest rule", message)
                .with_target(rule.name.clone())
                .with_remedy("play a shorter range, or give the rule a longer `for`"));
        }
        let Some(next) = now.checked_add_signed(step) else { break };
        now = next;
    }
    let histories = player.histories.into_iter();
    report.alerts = histories.map(|(labels, episodes)| AlertHistory { labels, episodes }).collect();
    Ok(report)
}

type Times = (DateTime<Utc>, DateTime<Utc>, TimeDelta);

fn checked_range(range: &RangeInclusive<DateTime<Utc>>, step: Duration) -> Result<Times> {
    let (start, end) = (*range.start(), *range.end());
    let refused = |kind, message: String, remedy: &'static str| {
        Err(Error::new(kind, "backtest rule", message).with_remedy(remedy))
    };
    if end < start {
        let message = format!("the range ends at {end}, before it begins at {start}");
        return refused(ErrorKind::InvalidInput, message, "give the earlier time first");
    }
    let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let delta = TimeDelta::try_milliseconds(millis).unwrap_or(TimeDelta::MAX);
    if millis == 0 {
        let message = format!("the step is {step:?}");
        return refused(
            ErrorKind::InvalidInput,
            message,
            "give the interval at which the rule is to be evaluated",
        );
    }
    let evaluations = (end - start).num_milliseconds() / millis;
    if evaluations >= EVALUATIONS_MAX {
        let message =
            format!("the rule would be evaluated {evaluations} times, at most {EVALUATIONS_MAX} are allowed");
        return refused(
            ErrorKind::ResourceExhausted,
            message,
            "play a shorter range, or choose a longer step",
        );
    }
    Ok((start, end, delta))
}

struct Player<'a> {
    rule: &'a CheckedRule,
    part: &'a AlertPart,
    source: &'a dyn SeriesSource,
    options: QueryOptions,
    plan: QueryPlan,
    watched: Option<QueryPlan>,
    alerts: Alerts,
    histories: BTreeMap<Labels, Vec<Episode>>,
    episodes: usize,
}

impl<'a> Player<'a> {
    fn new(
        rule: &'a CheckedRule,
        part: &'a AlertPart,
        source: &'a dyn SeriesSource,
        step: TimeDelta,
    ) -> Self {
        Self {
            rule,
            part,
            source,
            options: QueryOptions::default().with_subquery_step(step.to_std().unwrap_or_default()),
            plan: rule.query.plan(),
            watched: part.watched.as_ref().map(Query::plan),
            alerts: Alerts::new(),
            histories: BTreeMap::new(),
            episodes: 0,
        }
    }

    fn evaluate(&mut self, now: DateTime<Utc>) -> Result<()> {
        let (source, options, millis) = (self.source, &self.options, now.timestamp_millis());
        let found = samples(&mut self.plan, source, millis, options)?;
        if found.len() > ALERTS_MAX {
            // As in an engine, a rule beyond its limit has no alerts; here that ends those that stood.
            for Alert { labels, state: from, value, .. } in std::mem::take(&mut self.alerts).into_values() {
                let (to, reason) = (AlertState::Inactive, Reason::Vanished);
                if from != AlertState::Resolved {
                    self.note(Transition { labels, from, to, reason, at: now, value });
                }
            }
            let message = format!("exceeded limit of {ALERTS_MAX} with {} alerts", found.len());
            return Err(Error::new(ErrorKind::ResourceExhausted, "evaluate rule", message)
                .with_remedy("aggregate to fewer labels"));
        }
        let environment = Environment::new(now);
        let mut held = BTreeMap::new();
        for sample in found {
            let labels = alert_labels(self.rule, &sample, &environment);
            let value = sample.value.float().unwrap_or(0.0);
            if held.insert(labels, Held { value, annotations: BTreeMap::new() }).is_some() {
                let message = "vector contains metrics with the same labelset after applying alert labels";
                return Err(Error::new(ErrorKind::InvalidInput, "evaluate rule", message)
                    .with_remedy("aggregate to labels that tell the series apart"));
            }
        }
        let (rule, watched, mut transitions) = (self.rule, &mut self.watched, Vec::new());
        let watch = || {
            let found = watched.as_mut().and_then(|plan| samples(plan, source, millis, options).ok());
            let labels = found.iter().flatten().map(|sample| alert_labels(rule, sample, &environment));
            labels.collect::<HashSet<Labels>>()
        };
        let awaited = HashSet::new();
        let step =
            Step { rule: self.part, now, watched: watch, awaited: &awaited, transitions: &mut transitions };
        self.alerts = step.advance(std::mem::take(&mut self.alerts), held);
        for transition in transitions {
            self.note(transition);
        }
        Ok(())
    }

    fn note(&mut self, transition: Transition) {
        let Transition { labels, from, to, at, reason, .. } = transition;
        let episodes = self.histories.entry(labels).or_default();
        if matches!(from, AlertState::Inactive) {
            self.episodes += 1;
            episodes.push(Episode { began_at: at, fired_at: None, ended: None });
        }
        let Some(episode) = episodes.last_mut() else { return };
        match to {
            AlertState::Firing => episode.fired_at = Some(at),
            AlertState::Inactive | AlertState::Resolved => episode.ended = Some((at, reason)),
            AlertState::Pending => {}
        }
    }
}

fn samples(
    plan: &mut QueryPlan,
    source: &dyn SeriesSource,
    millis: i64,
    options: &QueryOptions,
) -> Result<Vec<VectorSample>> {
    Ok(match plan.instant(source, millis, options)?.value {
        Value::Scalar(value) => vec![VectorSample { labels: Labels::empty(), value: value.into() }],
        Value::Vector(samples) => samples,
        // The types were checked before.
        Value::Text(_) | Value::Matrix(_) => Vec::new(),
    })
}
