//! The target of a worker pool.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::{CloudRunApi, CloudRunOptions, DrainLeases, DrainPause};
use async_trait::async_trait;
use google_cloud_run_v2::model::WorkerPool;

use super::cloud_run_target::CloudRunTarget;
use super::resource::Resource as _;
use super::rounded_split::RoundedSplit;
use super::split::{entries, split_of};
use crate::rollout::{Release, RolloutTarget, TargetView, TrafficSplit, UnderWay};

const OPERATION: &str = "split instances";
/// A pause stands for so long, and is given again every few seconds. A host that dies keeps nobody from work for longer.
const PAUSE: Duration = Duration::from_secs(60);

/// A worker pool on Cloud Run, rolled out through the Admin API v2 by revisions and the split of the instances.
///
/// Etags, `LATEST`, names, images and templates are as of [`CloudRunRollout`](super::CloudRunRollout), with `instanceSplits` for
/// `traffic`; `gcloud run worker-pools update-instance-split POOL --to-latest` gives them to `LATEST` again.
///
/// Shares are percents of `scaling.manualInstanceCount`. Cloud Run wants no fewer instances than revisions with a share, and
/// does not say what it makes of fractions. So whoever has a share is given at least one whole instance, whichever way it
/// rounds: of four, 5 % are given as 25 %. [`percents`](Self::percents) says what a split comes to. Which split was meant then
/// stands in the pool's annotation `alfred-ops/split`, as long as it is needed. If somebody takes instances away meanwhile, a
/// candidate may be left without any: nobody can tell how it fares then, and the policy says what silence leads to.
///
/// Cloud Run stops whichever instances it likes of a revision whose share falls, ten seconds after a SIGTERM. With
/// [leases](Self::with_leases) a share falls only when nobody of its revision works.
#[derive(Debug)]
pub struct CloudRunWorkerPoolRollout {
    target: CloudRunTarget<WorkerPool>,
    leases: Option<DrainLeases>,
    /// The name of its pause.
    pause: String,
}

impl CloudRunWorkerPoolRollout {
    /// A target of the pool that [`CloudRunOptions::worker_pool`] names. Nothing is asked yet. The client is made as
    /// [`CloudRunApi`] says.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for the options of a service; [`ErrorKind::PermissionDenied`] if there are no credentials.
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        let target = CloudRunTarget::connect(CloudRunApi::of_worker_pool(options)?).await?;
        Ok(Self { pause: format!("rollout of {}", target.name()), target, leases: None })
    }

    /// The leases that the pool's workers take while they work. Workers are [of a group](DrainLeases::worker_of), their
    /// revision; those that are not count as of any.
    ///
    /// Before a share falls, workers of that revision begin nothing more: a [pause](DrainLeases::pause) for all but those of the
    /// revisions whose shares grow, which are taken to lose no instance. While Cloud Run is still busy with an earlier change, nobody is
    /// spared. The split is sent when nobody of them has a lease, and the pause stands until Cloud Run has settled, or for a quarter of an
    /// hour. Before that it lasts as long as the longest work among them, however often that puts its lease off, but no longer than
    /// [`rests_within`](crate::RolloutPolicy::rests_within): then the rollout pauses and work goes on, or on the way back, which waits for
    /// the candidate's work likewise, work goes on for a while and rests again. So work is best short. The pause is given for
    /// a minute at a time: if the host dies, the rollout is paused or aborted or the pool handed back, work goes on after that.
    ///
    /// Everybody who shares the leases' document is of a version that knows pauses: an older one does not obey them, and takes them
    /// away. Bring all workers to it before the first rollout with leases.
    #[must_use]
    pub fn with_leases(mut self, leases: DrainLeases) -> Self {
        self.leases = Some(leases);
        self
    }

    /// The percents that a split comes to with so many instances: each share has at least one. A revision that is alone has
    /// everything, of however many.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there are fewer instances than shares.
    pub fn percents(split: &TrafficSplit, instances: u32) -> Result<TrafficSplit> {
        RoundedSplit::of(split, instances).map(|rounded| rounded.given).map_err(few)
    }

    /// Has those begin nothing more whom the change might stop. Whether somebody of them works.
    async fn is_held(&self, leases: &DrainLeases, pool: &WorkerPool, change: &Change) -> Result<bool> {
        // As long as Cloud Run still carries out a former split, it may stop instances of any revision.
        let nobody = BTreeSet::new();
        let spared = if pool.reconciling { &nobody } else { &change.growing };
        let pause = leases.pause(&self.pause, spared, PAUSE).await?;
        if let Some(until) = pause.held_until() {
            let (workers, split) = (pause.working.len(), &change.rounded.wanted);
            tracing::info!(%split, workers, %until, "the split waits for drain leases");
        }
        Ok(!pause.working.is_empty())
    }

    /// The split is as it is to be. Its pause stands until Cloud Run has stopped whom it stops.
    async fn settle(&self, pool: &WorkerPool) -> Result<()> {
        let Some(leases) = &self.leases else { return Ok(()) };
        if pool.reconciling && leases.prolong_pause(&self.pause, PAUSE).await? {
            return Ok(());
        }
        // It has settled, or had time enough.
        leases.resume(&self.pause).await
    }
}

#[async_trait]
impl RolloutTarget for CloudRunWorkerPoolRollout {
    fn name(&self) -> &str {
        self.target.name()
    }

    fn check(&self, release: &Release) -> Result<()> {
        self.target.check(release)
    }

    async fn observe(&self) -> Result<TargetView> {
        let (mut view, pool) = self.target.observe().await?;
        view.split = RoundedSplit::meant(&pool);
        if let Some(leases) = &self.leases {
            let pause = leases.standing().await?.pauses.remove(&self.pause);
            let waits = pause.map(|pause| match told(&pause) {
                what if pause.is_over || !pause.working.is_empty() => UnderWay::Waits(what),
                what => UnderWay::Ends(what),
            });
            view.under_way = match waits {
                Some(UnderWay::Ends(_)) if view.under_way.is_some() => view.under_way,
                None => view.under_way,
                waits => waits,
            };
        }
        Ok(view)
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        if let Some(leases) = &self.leases
            && leases.standing().await?.pauses.get(&self.pause).is_some_and(|pause| pause.is_over)
        {
            // A former rollout was left to somebody. That it waited says nothing about this one.
            leases.resume(&self.pause).await?;
        }
        self.target.create_candidate(version, stable, release).await
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        let pool = self.target.read_at(OPERATION, version).await?;
        let change = match Change::of(&pool, split) {
            Ok(change) => change,
            // It is there. Only the number of instances has fallen since.
            Err(_) if RoundedSplit::meant(&pool).as_ref() == Some(split) => return self.settle(&pool).await,
            Err(error) => return Err(error.with_target(self.name())),
        };
        if change.is_there(&pool) {
            return self.settle(&pool).await;
        }
        if let Some(leases) = self.leases.as_ref().filter(|_| change.takes)
            && self.is_held(leases, &pool, &change).await?
        {
            return Ok(());
        }
        tracing::info!(%split, instances = change.rounded.shown(instances(&pool)), "rollout");
        let mut mask = vec![WorkerPool::SPLIT];
        let mut sent = self.target.change(version).set_instance_splits(change.after.instance_splits);
        // Cloud Run may refuse words of its own that it shows, so they are sent only where it must be.
        if change.after.annotations != pool.annotations {
            sent = sent.set_annotations(change.after.annotations);
            mask.push("annotations");
        }
        self.target.update(OPERATION, sent, &mask).await
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        self.target.retire(version, revision).await
    }
}

/// What a split changes about a pool.
struct Change {
    rounded: RoundedSplit,
    /// The pool with it.
    after: WorkerPool,
    /// The revisions that lose nobody.
    growing: BTreeSet<String>,
    /// Whether any revision may lose somebody.
    takes: bool,
}

impl Change {
    fn of(pool: &WorkerPool, split: &TrafficSplit) -> Result<Self> {
        let rounded = RoundedSplit::of(split, instances(pool)).map_err(few)?;
        let annotations = rounded.noted(pool).map_err(|source| {
            Error::new(ErrorKind::Internal, OPERATION, "the split cannot be written").with_source(source)
        })?;
        let splits = entries(&pool.instance_splits, &rounded.given);
        let after = WorkerPool::new().set_instance_splits(splits).set_annotations(annotations);
        let before = split_of(pool);
        // Of a split that nobody can tell anybody may be stopped; of three shares one that stays may lose an instance to a fraction.
        let grows =
            |revision: &str, share| before.as_ref().is_some_and(|before| before.percent(revision) < share);
        let shares = rounded.given.shares();
        let growing = shares.filter(|(revision, share)| grows(revision, *share));
        let growing = growing.map(|(revision, _)| revision.to_owned()).collect();
        let takes = before.as_ref() != Some(&rounded.given);
        Ok(Self { rounded, after, growing, takes })
    }

    fn is_there(&self, pool: &WorkerPool) -> bool {
        pool.instance_splits == self.after.instance_splits && pool.annotations == self.after.annotations
    }
}

fn instances(pool: &WorkerPool) -> u32 {
    let count = pool.scaling.as_ref().and_then(|scaling| scaling.manual_instance_count);
    count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

fn few(fault: String) -> Error {
    Error::new(ErrorKind::InvalidInput, OPERATION, fault)
        .with_remedy("give the pool at least one instance for each revision with a share")
}

fn told(pause: &DrainPause) -> String {
    let DrainPause { until, working, .. } = pause;
    if pause.is_over {
        return format!("work rested until {until}, before the split was there, and is to rest again");
    }
    match pause.held_until() {
        Some(last) => format!(
            "{} workers have leases, the last until {last}; others begin nothing before {until}",
            working.len()
        ),
        None => {
            format!("nobody works whom the split may stop, and nobody of them begins anything before {until}")
        }
    }
}
