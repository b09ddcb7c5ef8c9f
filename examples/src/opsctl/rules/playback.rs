//! Series played through rules.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_alerts::promql::{QueryOptions, RecordedSeries};
use alfred_ops_alerts::{
    Interest, RuleEvaluator, RuleGroup, RuleReport, RuleSet, SampleStore, StoreLimits, Transition,
};
use alfred_ops_core::{JobContext, Result};
use chrono::{DateTime, Utc};

use super::series_file::{SeriesFile, show_time};

/// Evaluations of one group. Longer series are played from later on.
const STEPS_MAX: i64 = 11_000;
/// Changes of alerts that are remembered, the newest.
const TRANSITIONS_MAX: usize = 1000;

/// Series played through rules as an engine would have seen them: each sample in its time, each group at its own
/// interval, the last time at the time of the look.
#[derive(Debug)]
pub(super) struct Playback {
    /// The series, and what the rules have recorded.
    pub(super) store: SampleStore,
    pub(super) groups: Vec<PlayedGroup>,
    pub(super) options: QueryOptions,
    /// What a person should know about how it was played.
    pub(super) notes: Vec<String>,
}

/// A group as it stands at the end.
#[derive(Debug)]
pub(super) struct PlayedGroup {
    pub(super) group: RuleGroup,
    pub(super) evaluator: RuleEvaluator,
    pub(super) interval: i64,
    /// How each rule fared at the last evaluation.
    pub(super) reports: Vec<RuleReport>,
    /// What changed on the way.
    pub(super) transitions: Vec<Transition>,
    next: i64,
}

impl Playback {
    /// Plays `file` through `groups`, which are evaluated every `every` unless they name an interval.
    ///
    /// # Errors
    /// Those of [`RuleSet::of_groups`]; `Cancelled` if the context is.
    pub(super) fn play(
        groups: Vec<RuleGroup>,
        file: &SeriesFile,
        every: Duration,
        context: &JobContext,
    ) -> Result<Self> {
        /// Everything is kept: the file has been held in memory already.
        const FOREVER_MILLIS: i64 = i64::MAX / 4;
        let options = QueryOptions::default().with_subquery_step(every);
        let limits = StoreLimits::default().with_series_max(usize::MAX).with_bytes_max(usize::MAX);
        let store = RwLock::new(SampleStore::new(limits, Interest::everything(FOREVER_MILLIS)));
        let mut notes = Vec::new();
        let mut played = Vec::new();
        for group in groups {
            let group = PlayedGroup::new(group, file, every, &options)?;
            if group.next.saturating_sub(group.interval) >= file.first {
                notes.push(format!(
                    "group {:?} was played from {} on, {STEPS_MAX} evaluations; earlier samples only count as history",
                    group.group.name,
                    show_time(group.next)
                ));
            }
            played.push(group);
        }
        let mut feed = Feed::new(&file.series);
        while let Some(now) = played.iter().map(|group| group.next).min().filter(|next| *next <= file.at) {
            context.check("play rules")?;
            feed.fill(&store, now);
            for group in played.iter_mut().filter(|group| group.next == now) {
                group.evaluate(&store, now);
            }
        }
        feed.fill(&store, file.at);
        let store = store.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { store, groups: played, options, notes })
    }
}

impl PlayedGroup {
    fn new(group: RuleGroup, file: &SeriesFile, every: Duration, options: &QueryOptions) -> Result<Self> {
        let rules = RuleSet::of_groups([group.clone()])?;
        let interval = interval_millis(&group, every);
        // Counted back from the end, so that the last evaluation is at the time of the look.
        let steps = file.at.saturating_sub(file.first).max(0) / interval;
        let next = file.at.saturating_sub(steps.min(STEPS_MAX - 1).saturating_mul(interval));
        let evaluator = RuleEvaluator::new(&rules, options);
        Ok(Self { group, evaluator, interval, reports: Vec::new(), transitions: Vec::new(), next })
    }

    fn evaluate(&mut self, store: &RwLock<SampleStore>, now: i64) {
        let evaluation = self.evaluator.evaluate(store, time(now));
        self.reports = evaluation.reports;
        self.transitions.extend(evaluation.transitions);
        let excess = self.transitions.len().saturating_sub(TRANSITIONS_MAX);
        self.transitions.drain(..excess);
        self.next = now.saturating_add(self.interval);
    }
}

/// How often a group is evaluated, every `every` unless it names an interval.
pub(super) fn interval_millis(group: &RuleGroup, every: Duration) -> i64 {
    i64::try_from(group.interval.unwrap_or(every).as_millis()).unwrap_or(i64::MAX).max(1)
}

/// Hands samples to a store in the order of their times.
#[derive(Debug)]
struct Feed<'s> {
    series: &'s RecordedSeries,
    /// How many samples of each series have been handed over.
    given: Vec<usize>,
}

impl<'s> Feed<'s> {
    fn new(series: &'s RecordedSeries) -> Self {
        Self { series, given: vec![0; series.len()] }
    }

    /// Hands over everything not later than `until`.
    fn fill(&mut self, store: &RwLock<SampleStore>, until: i64) {
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        for ((labels, samples), given) in self.series.iter().zip(&mut self.given) {
            for (at, value) in samples.iter().skip(*given).take_while(|(at, _)| *at <= until) {
                match value {
                    Some(value) => {
                        store.append_value(labels, *at, value);
                    }
                    None => store.mark_stale(labels, time(*at)),
                }
                *given += 1;
            }
        }
    }
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
