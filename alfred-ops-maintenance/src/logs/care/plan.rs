//! What is done to log files. Pure.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::age::age;
use super::super::closed_file::ClosedFile;
use super::super::pruning::{Kept, plan_pruning};
use super::step::Work;
use super::{ClosedLog, LogCarePolicy, LogFacts, LogStep, RotateReason, ServiceLog};
use crate::ChorePlan;

/// A service gets so long to open its log anew before it is told again.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What is done to log files, in this order, and what is wrong with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogCarePlan {
    /// What is done.
    pub steps: Vec<LogStep>,
    /// What keeps logs from being kept well.
    pub obstacles: Vec<String>,
}

/// Decides what is done to the log files that a look found. Pure.
///
/// All that is removed comes first. A closed file that somebody has open for writing, or wrote to within
/// [`settle`](LogCarePolicy::settle), is neither compressed nor removed, whatever was seen of processes.
#[must_use]
pub fn plan_log_care(facts: &LogFacts, policy: &LogCarePolicy, now: DateTime<Utc>) -> LogCarePlan {
    let mut plan = LogCarePlan::default();
    for log in &facts.logs {
        plan_log(log, policy, now, &mut plan);
    }
    plan.steps.sort_by_key(LogStep::rank);
    plan
}

fn plan_log(log: &ServiceLog, policy: &LogCarePolicy, now: DateTime<Utc>, plan: &mut LogCarePlan) {
    let mut step = |work| plan.steps.push(LogStep(work));
    for path in &log.unfinished {
        step(Work::Clear { path: path.clone() });
    }
    let free: Vec<ClosedFile> = log
        .closed
        .iter()
        .filter(|closed| is_left_alone(closed, policy, now))
        .map(|closed| closed.file.clone())
        .collect();
    let kept = Kept { bytes_max: policy.kept_bytes_max, age_max: policy.kept_age_max };
    let removed = plan_pruning(&free, kept, now);
    for &(file, reason) in &removed {
        step(Work::Remove { file: file.clone(), reason });
    }
    // A log that nobody has begun anew is a sign too, whatever was seen of writers: one may be hidden, and what it writes
    // to the file would be lost with it.
    let is_unbegun = log.bytes.is_none()
        && log.closed.last().is_some_and(|last| age(now, last.file.closed_at) >= TOLD_AGAIN_AFTER);
    if is_unbegun || log.closed.iter().any(|closed| is_written_after(closed, TOLD_AGAIN_AFTER, policy, now)) {
        step(Work::Reopen { path: log.path.clone() });
    }
    if policy.compression.is_some() {
        let stays = |file: &ClosedFile| !removed.iter().any(|(gone, _)| gone.path == file.path);
        let is_ready = |closed: &&ClosedLog| {
            !closed.file.is_compressed
                && is_left_alone(closed, policy, now)
                && age(now, closed.file.closed_at) >= policy.settle
        };
        for closed in log.closed.iter().filter(is_ready).filter(|closed| stays(&closed.file)) {
            step(Work::Compress { file: closed.file.clone() });
        }
    }
    if let Some(reason) = rotate_reason(log, policy, now) {
        let sequence = log.closed.last().map_or(0, |closed| closed.file.sequence.saturating_add(1));
        step(Work::Rotate {
            path: log.path.clone(),
            to: ClosedFile::path_for(&log.path, now, sequence),
            reason,
        });
    }
    let late = log.closed.iter().filter(|closed| is_written_after(closed, policy.reopen_within, policy, now));
    plan.obstacles.extend(late.map(|closed| {
        format!(
            "{} was closed at {} and is written to still; make the service open its log anew, or restart it",
            closed.file.path.display(),
            closed.file.closed_at
        )
    }));
}

/// Whether nobody is seen to write to it, and nothing was written for some time: that no writer is seen is no proof.
fn is_left_alone(closed: &ClosedLog, policy: &LogCarePolicy, now: DateTime<Utc>) -> bool {
    closed.file.is_compressed || closed.is_open != Some(true) && age(now, closed.modified_at) >= policy.settle
}

/// Whether somebody writes to it `delay` after its closing still.
fn is_written_after(closed: &ClosedLog, delay: Duration, policy: &LogCarePolicy, now: DateTime<Utc>) -> bool {
    let since_closing = if closed.is_open == Some(true) { now } else { closed.modified_at };
    !is_left_alone(closed, policy, now) && age(since_closing, closed.file.closed_at) >= delay
}

fn rotate_reason(log: &ServiceLog, policy: &LogCarePolicy, now: DateTime<Utc>) -> Option<RotateReason> {
    let bytes = log.bytes.filter(|&bytes| bytes > 0)?;
    if bytes > policy.file_bytes_max {
        return Some(RotateReason::Large { bytes });
    }
    let period = i64::try_from(policy.file_age_max.as_secs()).unwrap_or(i64::MAX).max(1);
    let number = |time: DateTime<Utc>| time.timestamp().div_euclid(period);
    let began_at = log.began_at?;
    (number(began_at) < number(now)).then_some(RotateReason::Period)
}

impl ChorePlan for LogCarePlan {
    fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.clone()
    }
}

impl fmt::Display for LogCarePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("nothing to do")?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{step}")?;
        }
        for obstacle in &self.obstacles {
            write!(f, "\nobstacle: {obstacle}")?;
        }
        Ok(())
    }
}
