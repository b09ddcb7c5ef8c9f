//! WAL that is stored without a gap.

use std::ops::Range;

use alfred_ops_core::{Lsn, Result};

use super::{TimelineHistory, Timelines};
use crate::postgres::facts::ClusterFacts;
use crate::{LogReader, Repository};

/// WAL that is stored without a gap along the history of a timeline. A timeline's part begins with the
/// segment in which it left the one before: the server copies what that segment held.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct StoredWal {
    timelines: Timelines,
    /// In order, each going on where the one before ends; never empty.
    parts: Vec<WalPart>,
}

/// What one timeline wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct WalPart {
    pub(in crate::postgres) timeline: u32,
    pub(in crate::postgres) positions: Range<u64>,
}

impl StoredWal {
    /// What is stored from `start` of `timeline` on, as `history` went.
    pub(in crate::postgres) async fn find(
        timelines: &Timelines,
        history: &TimelineHistory,
        timeline: u32,
        start: u64,
        segment_bytes: u64,
    ) -> Result<Self> {
        let mut parts: Vec<WalPart> = Vec::new();
        let (mut timeline, mut at) = (timeline, start);
        loop {
            let stored = timelines.log(timeline).stored_until(at).await?;
            let Some((left, next)) = history.left(timeline) else {
                parts.push(WalPart { timeline, positions: at..stored });
                break;
            };
            let branch = left.segment_start(segment_bytes).0.max(at);
            let goes_on = if stored >= branch {
                let follows = timelines.log(next).stored_until(branch).await?;
                follows >= left.0 || stored == at && branch == at
            } else {
                false
            };
            if !goes_on {
                parts.push(WalPart { timeline, positions: at..stored.min(left.0).max(at) });
                break;
            }
            if at < branch {
                parts.push(WalPart { timeline, positions: at..branch });
            }
            (timeline, at) = (next, branch);
        }
        Ok(Self { timelines: timelines.clone(), parts })
    }

    /// What is stored for a backup, on the way to `timeline` or else to the newest that the backup is part of.
    pub(in crate::postgres) async fn after(
        repository: &Repository,
        facts: &ClusterFacts,
        start: u64,
        timeline: Option<u32>,
    ) -> Result<Self> {
        let timelines = Timelines::new(repository.clone(), &facts.system_id);
        let history = match timeline {
            None => timelines.newest_from(facts.timeline, facts.end).await?,
            Some(timeline) => timelines.wanted(timeline, facts).await?,
        };
        Self::find(&timelines, &history, facts.timeline, start, facts.segment_bytes).await
    }

    pub(in crate::postgres) const fn timelines(&self) -> &Timelines {
        &self.timelines
    }

    pub(in crate::postgres) fn parts(&self) -> &[WalPart] {
        &self.parts
    }

    /// Where it begins.
    pub(in crate::postgres) fn start(&self) -> Lsn {
        Lsn(self.parts.first().map_or(0, |part| part.positions.start))
    }

    /// Behind the last byte.
    pub(in crate::postgres) fn end(&self) -> Lsn {
        Lsn(self.parts.last().map_or(0, |part| part.positions.end))
    }

    /// The timeline of the last byte.
    pub(in crate::postgres) fn timeline(&self) -> u32 {
        self.parts.last().map_or(0, |part| part.timeline)
    }

    pub(in crate::postgres) fn bytes(&self) -> u64 {
        self.end().0 - self.start().0
    }

    /// The same without what lies behind `end`.
    pub(in crate::postgres) fn until(mut self, end: Lsn) -> Self {
        self.parts.retain(|part| part.positions.start < end.0);
        if let Some(last) = self.parts.last_mut() {
            last.positions.end = last.positions.end.min(end.0);
        }
        self
    }

    pub(in crate::postgres) async fn read(&self, part: &WalPart) -> Result<LogReader> {
        self.timelines.log(part.timeline).read(part.positions.clone()).await
    }
}
