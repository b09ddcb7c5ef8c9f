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
/// A closed file that somebody still writes to is neither compressed nor removed for its age or for room.
#[must_use]
pub fn plan_log_care(facts: &LogFacts, policy: &LogCarePolicy, now: DateTime<Utc>) -> LogCarePlan {
    let mut plan = LogCarePlan::default();
    for log in &facts.logs {
        plan_log(log, policy, now, &mut plan);
    }
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
        .filter(|closed| closed.is_open != Some(true))
        .map(|closed| closed.file.clone())
        .collect();
    let kept = Kept { bytes_max: policy.kept_bytes_max, age_max: policy.kept_age_max };
    let removed = plan_pruning(&free, kept, now);
    for &(file, reason) in &removed {
        step(Work::Remove { file: file.clone(), reason });
    }
    let writers: Vec<&ClosedLog> = log.closed.iter().filter(|closed| closed.is_open == Some(true)).collect();
    // Where nobody can tell who writes, a log that nobody has begun anew is a sign.
    let is_unbegun = |closed: &&ClosedLog| log.bytes.is_none() && closed.is_open.is_none();
    let unheard = log.closed.last().filter(is_unbegun).into_iter().chain(writers.iter().copied());
    if unheard.into_iter().any(|closed| age(now, closed.file.closed_at) >= TOLD_AGAIN_AFTER) {
        step(Work::Reopen { path: log.path.clone() });
    }
    if policy.compression.is_some() {
        let stays = |file: &ClosedFile| !removed.iter().any(|(gone, _)| gone.path == file.path);
        for closed in
            log.closed.iter().filter(|closed| is_settled(closed, policy, now) && stays(&closed.file))
        {
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
    let late = writers.iter().filter(|closed| age(now, closed.file.closed_at) >= policy.reopen_within);
    plan.obstacles.extend(late.map(|closed| {
        format!(
            "{} was closed at {} and is written to still; make the service open its log anew, or restart it",
            closed.file.path.display(),
            closed.file.closed_at
        )
    }));
}

fn is_settled(closed: &ClosedLog, policy: &LogCarePolicy, now: DateTime<Utc>) -> bool {
    let is_quiet = match closed.is_open {
        Some(is_open) => !is_open,
        None => age(now, closed.modified_at) >= policy.settle,
    };
    !closed.file.is_compressed && is_quiet && age(now, closed.file.closed_at) >= policy.settle
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
