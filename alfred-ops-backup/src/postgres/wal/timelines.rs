//! The WAL of one cluster in a repository, timeline by timeline.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};
use bytes::{Bytes, BytesMut};

use super::TimelineHistory;
use crate::postgres::facts::ClusterFacts;
use crate::{LogArchive, Repository};

/// A history file has a line for each promotion; longer ones are not believed.
const HISTORY_BYTES_MAX: u64 = 1 << 20;

/// The WAL of one cluster in a repository: a log for each timeline, and the timelines' histories.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct Timelines {
    repository: Repository,
    system_id: String,
}

impl Timelines {
    pub(in crate::postgres) fn new(repository: Repository, system_id: impl Into<String>) -> Self {
        Self { repository, system_id: system_id.into() }
    }

    pub(in crate::postgres) fn system_id(&self) -> &str {
        &self.system_id
    }

    pub(in crate::postgres) const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The log that holds what `timeline` wrote.
    pub(in crate::postgres) fn log(&self, timeline: u32) -> LogArchive {
        self.repository.log(wal_log_name(&self.system_id, timeline))
    }

    /// Keeps a timeline's history. It may be kept already.
    pub(in crate::postgres) async fn keep(&self, timeline: u32, text: Bytes) -> Result<()> {
        self.history_log(timeline).append(0, text).await.map_err(|error| match error.kind() {
            ErrorKind::Conflict => Error::new(
                ErrorKind::Conflict,
                "keep timeline history",
                format!("the repository knows another timeline {timeline} of cluster {}", self.system_id),
            )
            .with_target(self.repository.location())
            .with_remedy("two copies of one cluster went on by themselves: give one its own repository")
            .with_source(error),
            _ => error,
        })
    }

    /// All histories that are kept, as Postgres writes them.
    pub(in crate::postgres) async fn texts(&self) -> Result<BTreeMap<u32, Bytes>> {
        let prefix = format!("timeline-{}-", self.system_id);
        let mut texts = BTreeMap::new();
        for name in self.repository.logs(&prefix).await? {
            let number = name.strip_prefix(&prefix).filter(|number| number.len() == 8);
            let timeline = number.and_then(|number| u32::from_str_radix(number, 16).ok());
            if let Some(timeline) = timeline
                && let Some(text) = self.text(timeline).await?
            {
                texts.insert(timeline, text);
            }
        }
        Ok(texts)
    }

    /// The history of a timeline, if it is kept.
    pub(in crate::postgres) async fn history(&self, timeline: u32) -> Result<Option<TimelineHistory>> {
        match self.text(timeline).await? {
            Some(text) => TimelineHistory::parse(timeline, &String::from_utf8_lossy(&text)).map(Some),
            None => Ok(None),
        }
    }

    /// The history of the newest timeline that went on from `position` of `timeline`.
    pub(in crate::postgres) async fn newest_from(
        &self,
        timeline: u32,
        position: Lsn,
    ) -> Result<TimelineHistory> {
        let mut newest = TimelineHistory::without_ancestors(timeline);
        for (number, text) in self.texts().await? {
            let history = TimelineHistory::parse(number, &String::from_utf8_lossy(&text))?;
            if number >= newest.timeline() && history.includes(timeline, position) {
                newest = history;
            }
        }
        Ok(newest)
    }

    /// The history of a timeline that a backup is to be restored along.
    pub(super) async fn wanted(&self, timeline: u32, facts: &ClusterFacts) -> Result<TimelineHistory> {
        let refuse = |what: String| {
            Err(Error::new(ErrorKind::NotFound, "find timeline", what)
                .with_target(self.repository.location())
                .with_remedy("leave the timeline out for the newest that the backup is part of"))
        };
        match self.history(timeline).await? {
            None if timeline == facts.timeline => Ok(TimelineHistory::without_ancestors(timeline)),
            None => refuse(format!("the repository has no history of timeline {timeline}")),
            Some(history) if history.includes(facts.timeline, facts.end) => Ok(history),
            Some(_) => refuse(format!(
                "timeline {timeline} does not go on from the backup, which ended at {} of timeline {}",
                facts.end, facts.timeline
            )),
        }
    }

    /// A timeline's history as Postgres writes it, if it is kept.
    pub(super) async fn text(&self, timeline: u32) -> Result<Option<Bytes>> {
        let log = self.history_log(timeline);
        let end = log.stored_until(0).await?;
        if end == 0 {
            return Ok(None);
        }
        if end > HISTORY_BYTES_MAX {
            let what = format!("the history of timeline {timeline} has {end} bytes");
            return Err(Error::new(ErrorKind::Corrupt, "read timeline history", what));
        }
        let mut reader = log.read(0..end).await?;
        let mut text = BytesMut::new();
        while let Some(part) = reader.next().await? {
            text.extend_from_slice(&part);
        }
        Ok(Some(text.freeze()))
    }

    fn history_log(&self, timeline: u32) -> LogArchive {
        self.repository.log(format!("timeline-{}-{timeline:08x}", self.system_id))
    }
}

/// The name of the log that holds what `timeline` wrote. Logs whose names differ in the last part only share
/// their positions: so a prune knows what a backup on an earlier timeline needs.
pub(in crate::postgres) fn wal_log_name(system_id: &str, timeline: u32) -> String {
    format!("wal-{system_id}-{timeline:08x}")
}
