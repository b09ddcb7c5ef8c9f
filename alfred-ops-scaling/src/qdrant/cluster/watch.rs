//! What a run has seen so far: only for its patience, never for its decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::QdrantOptions;
use crate::qdrant::{Action, ClusterView, Plan};

/// What a run has seen and tried. A run that starts anew starts with an empty one, which makes it more patient and
/// nothing else.
#[derive(Debug)]
pub(super) struct Watch {
    stalled_after: Duration,
    attempts_max: u32,
    /// When each transfer was last seen to make progress, and what it said then.
    progress: BTreeMap<(String, u32, u64, u64), (Duration, String)>,
    /// When the cluster last looked different, and how.
    change: Option<(Duration, ClusterView)>,
    tried: BTreeMap<String, u32>,
    failed_looks: u32,
}

impl Watch {
    pub(super) fn new(options: &QdrantOptions) -> Self {
        Self {
            stalled_after: options.stalled_after,
            attempts_max: options.attempts_max.max(1),
            progress: BTreeMap::new(),
            change: None,
            tried: BTreeMap::new(),
            failed_looks: 0,
        }
    }

    /// A look has failed; the error comes back once too many have, or where looking again is of no use.
    pub(super) fn look_failed(&mut self, error: Error) -> Result<()> {
        self.failed_looks += 1;
        let passes = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        if !passes || self.failed_looks >= self.attempts_max {
            return Err(error);
        }
        tracing::warn!(error = error.full(), "a look at the cluster failed");
        Ok(())
    }

    /// A look has succeeded: marks the transfers that have stalled.
    pub(super) fn looked(&mut self, view: &mut ClusterView, now: Duration) {
        self.failed_looks = 0;
        let mut seen = BTreeMap::new();
        for (name, collection) in &mut view.collections {
            for transfer in &mut collection.transfers {
                let key = (name.clone(), transfer.shard, transfer.from, transfer.to);
                let known = self.progress.remove(&key).filter(|(_, said)| *said == transfer.comment);
                let since = known.map_or(now, |(since, _)| since);
                transfer.stalled = now.saturating_sub(since) >= self.stalled_after;
                seen.insert(key, (since, transfer.comment.clone()));
            }
        }
        self.progress = seen;
        if self.change.as_ref().is_none_or(|(_, known)| known != view) {
            self.change = Some((now, view.clone()));
        }
    }

    /// Whether to go on waiting when there is nothing to start.
    pub(super) fn check_patience(&self, plan: &Plan, now: Duration) -> Result<()> {
        let since = self.change.as_ref().map_or(now, |(since, _)| *since);
        // Transfers that stall are aborted, so that this is about what has none. Twice, so that they come first.
        if now.saturating_sub(since) < self.stalled_after.saturating_mul(2) {
            return Ok(());
        }
        let waits =
            plan.steps.first().map(|step| format!("{}: {}", step.action, step.reason)).unwrap_or_default();
        Err(Error::new(
            ErrorKind::Unavailable,
            "change cluster",
            format!("nothing changes; next were to {waits}"),
        )
        .with_remedy("look into the logs of the peer"))
    }

    /// Counts an attempt.
    pub(super) fn attempt(&mut self, action: &Action, last: Option<&Error>) -> Result<()> {
        let tried = self.tried.entry(action.to_string()).or_default();
        *tried += 1;
        if *tried <= self.attempts_max {
            return Ok(());
        }
        let what = format!("{action}: {} attempts have not brought it about", self.attempts_max);
        let error = Error::new(ErrorKind::Unavailable, "change cluster", what)
            .with_remedy("look into the logs of both peers, then run it again");
        Err(match last {
            Some(last) => error.with_source(last.full()),
            None => error,
        })
    }
}
