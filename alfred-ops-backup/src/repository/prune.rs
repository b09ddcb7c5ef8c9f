//! Removing what no backup needs any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, ProgressUnit, Result};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::index::{Index, SourceRef};
use super::{BackupRecord, Layout, Repository};
use crate::{RetentionPlan, RetentionPolicy};

/// What ceased to be needed is removed after so long: a backup that began before and builds on it may still
/// be on its way, and none is committed after [`BACKUP_LIMIT`].
pub(super) const SWEEP_GRACE: Duration = Duration::from_secs(72 * 3600);
/// A backup must be done within this time.
pub(super) const BACKUP_LIMIT: Duration = Duration::from_secs(71 * 3600);
/// Listings are read in pages of this many keys.
const PAGE: usize = 1000;

/// What [`Repository::prune`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// Backups that are no longer listed.
    pub forgotten: Vec<Id>,
    /// Objects that nobody needs, to be removed by a later run.
    pub marked: u64,
    /// Objects that were removed: marked by an earlier run and still not needed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Objects that the store refuses to remove yet, such as those under an Object Lock. A later run tries
    /// again.
    pub locked: u64,
}

/// The content of an object below `sweeps/`: what nobody needed when it was written.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    keys: Vec<String>,
}

/// What the listed backups need.
#[derive(Debug, Default)]
struct Needed {
    packs: HashSet<Id>,
    indexes: HashSet<Id>,
    /// By family of logs: the first position that a backup needs.
    logs: BTreeMap<String, u64>,
}

impl Repository {
    /// What [`prune`](Self::prune) would forget, and why it would keep the rest. Changes nothing.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Corrupt`] for a damaged record.
    pub async fn plan_retention(
        &self,
        policy: &RetentionPolicy,
        context: &JobContext,
    ) -> Result<RetentionPlan> {
        let (backups, held) = (self.backups().await?, self.held().await?);
        Ok(RetentionPlan::new(&backups, &held, policy, context.now()))
    }

    /// Forgets the backups that no rule of `policy` wants, and removes what only they needed, in two runs at
    /// least three days apart: the first marks, a later one looks again and removes. So nothing is removed
    /// that a kept backup needs, or one that is being taken meanwhile, whoever takes it. Several hosts may
    /// prune at once. After an error or a crash the next run goes on.
    ///
    /// # Errors
    /// The store's. Without a readable index of every kept backup nothing is removed.
    #[tracing::instrument(skip_all, fields(repository = self.location()))]
    pub async fn prune(&self, policy: &RetentionPolicy, context: &JobContext) -> Result<PruneReport> {
        context.progress.begin("prune", None, ProgressUnit::Items);
        let mut report = PruneReport::default();
        for verdict in self.plan_retention(policy, context).await?.forgotten() {
            context.check("prune")?;
            self.store.delete(&Layout::commit(verdict.id)).await?;
            report.forgotten.push(verdict.id);
        }
        let needed = self.needed(context).await?;
        self.sweep(&needed, context, &mut report).await?;
        self.mark(&needed, context, &mut report).await?;
        tracing::info!(?report, "pruned");
        Ok(report)
    }

    /// Keeps a backup, whatever the policy, until [`release`](Self::release). May be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such backup; the store's.
    pub async fn hold(&self, backup: Id) -> Result<()> {
        self.backup(backup).await?;
        self.store.put(&Layout::hold(backup), bytes::Bytes::new()).await
    }

    /// Ends a hold. A missing one is no error.
    ///
    /// # Errors
    /// The store's.
    pub async fn release(&self, backup: Id) -> Result<()> {
        self.store.delete(&Layout::hold(backup)).await
    }

    /// The backups that are held.
    ///
    /// # Errors
    /// The store's.
    pub async fn held(&self) -> Result<BTreeSet<Id>> {
        let holds = self.keys_below(Layout::HOLDS).await?;
        Ok(holds.iter().filter_map(|(key, _)| key.strip_prefix(Layout::HOLDS)?.parse().ok()).collect())
    }

    /// Refuses to publish a backup whose base was forgotten meanwhile, or that took so long that what it
    /// needs may have been removed.
    pub(crate) async fn still_whole(
        &self,
        base: Option<&BackupRecord>,
        began: Id,
        context: &JobContext,
    ) -> Result<()> {
        let refuse = |what: String| {
            Err(Error::new(ErrorKind::Conflict, "finish backup", what)
                .with_target(self.location())
                .with_remedy("take the backup again"))
        };
        if let Some(base) = base {
            match self.backup(base.id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return refuse(format!(
                        "the backup {} that it builds on was forgotten meanwhile",
                        base.id
                    ));
                }
                found => found?,
            };
        }
        let took = context.now() - began.made_at();
        if took > TimeDelta::from_std(BACKUP_LIMIT).unwrap_or(TimeDelta::MAX) {
            return refuse(format!("it took {} hours, more than a backup may", took.num_hours()));
        }
        Ok(())
    }

    async fn needed(&self, context: &JobContext) -> Result<Needed> {
        let mut needed = Needed::default();
        let mut sources: Vec<SourceRef> = Vec::new();
        for record in self.backups().await? {
            context.check("prune")?;
            let source = record.index_ref()?;
            let index = Index::decode(&self.load_index(&source).await?)?;
            needed.packs.extend(index.uses.iter().map(|used| used.pack));
            needed.indexes.insert(record.id);
            sources.extend(index.tables.sources);
            if let Some(log) = record.log {
                let first =
                    needed.logs.entry(Layout::log_family(&log.log).to_owned()).or_insert(log.positions.start);
                *first = log.positions.start.min(*first);
            }
        }
        // What an index names may itself name others.
        while let Some(source) = sources.pop() {
            if needed.indexes.insert(source.id) {
                context.check("prune")?;
                sources.extend(super::index::Tables::read(&self.load_index(&source).await?)?.sources);
            }
        }
        Ok(needed)
    }

    /// Removes what was marked long enough ago and is still not needed.
    async fn sweep(&self, needed: &Needed, context: &JobContext, report: &mut PruneReport) -> Result<()> {
        let grace = TimeDelta::from_std(SWEEP_GRACE).unwrap_or(TimeDelta::MAX);
        for (mark, _) in self.keys_below(Layout::SWEEPS).await? {
            let made = mark.strip_prefix(Layout::SWEEPS).and_then(|id| id.parse::<Id>().ok());
            if made.is_none_or(|made| context.now() - made.made_at() < grace) {
                continue;
            }
            let content = match self.read_sealed(&mark).await {
                // Another host has just finished it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                content => content?,
            };
            let content: Mark = serde_json::from_slice(&content).map_err(|source| {
                Error::new(ErrorKind::Corrupt, "prune", "a mark is not what alfred-ops writes")
                    .with_target(self.key_target(&mark))
                    .with_source(source)
            })?;
            let locked = report.locked;
            for key in content.keys.iter().filter(|key| !needed.includes(key)) {
                context.check("prune")?;
                match self.store.delete(key).await {
                    Ok(()) => report.removed += 1,
                    Err(error)
                        if [ErrorKind::PermissionDenied, ErrorKind::Conflict].contains(&error.kind()) =>
                    {
                        tracing::debug!(error = %error.full(), key, "not removed");
                        report.locked += 1;
                    }
                    Err(error) => return Err(error),
                }
                context.progress.add(1);
            }
            if report.locked == locked {
                self.store.delete(&mark).await?;
            }
        }
        Ok(())
    }

    /// Writes down what nobody needs and no earlier mark names.
    async fn mark(&self, needed: &Needed, context: &JobContext, report: &mut PruneReport) -> Result<()> {
        let mut marked = HashSet::new();
        for (mark, _) in self.keys_below(Layout::SWEEPS).await? {
            if let Ok(content) = self.read_sealed(&mark).await
                && let Ok(content) = serde_json::from_slice::<Mark>(&content)
            {
                marked.extend(content.keys);
            }
        }
        let mut keys = Vec::new();
        for folder in [Layout::PACKS, Layout::INDEXES, Layout::LOGS] {
            let found = self.keys_below(folder).await?;
            let rubbish = found.into_iter().map(|(key, _)| key).filter(|key| !needed.includes(key));
            keys.extend(rubbish.filter(|key| !marked.contains(key)));
        }
        report.marked = keys.len() as u64;
        if keys.is_empty() {
            return Ok(());
        }
        let key = Layout::sweep(Id::new(context.now(), &*context.entropy));
        self.create_sealed(&key, &super::catalog::to_json(&Mark { keys })?).await
    }

    /// All keys that begin with `prefix`, and their lengths.
    pub(super) async fn keys_below(&self, prefix: &str) -> Result<Vec<(String, u64)>> {
        let mut found: Vec<(String, u64)> = Vec::new();
        loop {
            let after = found.last().map_or(String::new(), |(key, _)| key.clone());
            let page = self.store.list(prefix, &after, PAGE).await?;
            let last = page.len() < PAGE;
            found.extend(page.into_iter().map(|blob| (blob.key, blob.bytes)));
            if last {
                return Ok(found);
            }
        }
    }
}

impl Needed {
    /// Whether an object must stay. What is not understood stays.
    fn includes(&self, key: &str) -> bool {
        let among = |prefix: &str, ids: &HashSet<Id>| {
            key.strip_prefix(prefix).map(|id| id.parse().ok().is_none_or(|id| ids.contains(&id)))
        };
        if let Some(needed) =
            among(Layout::PACKS, &self.packs).or_else(|| among(Layout::INDEXES, &self.indexes))
        {
            return needed;
        }
        // What a backup needs may go on in another log of the family.
        let log = key.strip_prefix(Layout::LOGS).and_then(|rest| Some(rest.split_once('/')?.0));
        match (log.and_then(|log| self.logs.get(Layout::log_family(log))), Layout::positions_of_chunk(key)) {
            (Some(&first), Some((_, end))) => end > first,
            _ => true,
        }
    }
}
