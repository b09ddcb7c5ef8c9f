//! Carries plans out.

use alfred_ops_core::{Error, ErrorKind, JobContext, ProgressUnit, Result, blocking};
use reqwest::{Method, Url};

use super::client::{Client, base};
use super::look::Look;
use super::watch::Watch;
use super::wire::Operation;
use super::{QdrantOptions, QdrantReport};
use crate::qdrant::{Action, ClusterView, Goal, Plan, Transfer, plan};

const OPERATION: &str = "change cluster";

/// A cluster of Qdrant that is brought to a goal.
///
/// It looks, plans, takes the first steps and looks again, until the goal is reached. Nothing is remembered from
/// one look to the next but how long it has waited: a run that was killed at any moment is resumed by another,
/// and what its last request did is seen. Two runs at once do no harm to the data, but may undo each other's
/// steps: let one job own the cluster.
#[derive(Debug)]
pub struct QdrantCluster {
    client: Client,
    bases: Vec<Url>,
    options: QdrantOptions,
}

impl QdrantCluster {
    /// A cluster. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is no URL, for one that is not of HTTP or holds credentials, and for an API
    /// key that no header can carry.
    pub fn new(options: QdrantOptions) -> Result<Self> {
        if options.urls.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "reach cluster", "urls: there is none")
                .with_remedy("give the REST URL of each peer, such as http://qdrant-0:6333"));
        }
        let bases = options.urls.iter().map(|url| base(url)).collect::<Result<Vec<Url>>>()?;
        let client = Client::new(options.api_key.as_ref(), options.request_limit)?;
        Ok(Self { client, bases, options })
    }

    /// Looks at the cluster. Changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], [`ErrorKind::Timeout`], [`ErrorKind::PermissionDenied`];
    /// [`ErrorKind::Unsupported`] from a server that is no cluster, or no Qdrant.
    pub async fn view(&self) -> Result<ClusterView> {
        Ok(Look::take(&self.client, &self.bases, None).await?.view)
    }

    /// Looks at the cluster and says how the goal would be reached from here: a dry run. Changes nothing.
    ///
    /// # Errors
    /// As of [`view`](Self::view).
    pub async fn plan(&self, goal: &Goal) -> Result<Plan> {
        let look = Look::take(&self.client, &self.bases, Some(goal)).await?;
        self.plan_for(&look.view, goal).await
    }

    /// A plan for a large cluster takes long enough to hold up other tasks.
    async fn plan_for(&self, view: &ClusterView, goal: &Goal) -> Result<Plan> {
        let (view, goal, limits) = (view.clone(), goal.clone(), self.options.limits);
        blocking(move || plan(&view, &goal, &limits)).await
    }

    /// Brings the cluster to a goal. `Ok` means that it was seen there.
    ///
    /// After an error or a dropped future some of the steps are done, one may be done or not, and transfers may
    /// be under way; no shard serves from fewer replicas than its floor for it. Run it again to go on.
    /// Cancellation is heeded while it looks, before every step and while it waits.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the [obstacles](crate::qdrant::Obstacle) once all that is possible is done;
    /// [`ErrorKind::Unavailable`] where looks or one action keep failing, or nothing changes any more;
    /// [`ErrorKind::Cancelled`]; otherwise as of [`view`](Self::view).
    pub async fn run(&self, goal: &Goal, context: &JobContext) -> Result<QdrantReport> {
        let (mut watch, mut report) = (Watch::new(&self.options), QdrantReport::default());
        let mut last_failure = None;
        context.progress.begin(goal.to_string(), None, ProgressUnit::Items);
        loop {
            context.check(OPERATION)?;
            let look = Look::take(&self.client, &self.bases, Some(goal));
            match context.cancel.run_until_cancelled(look).await {
                None => continue,
                Some(Err(error)) => watch.look_failed(error)?,
                Some(Ok(mut look)) => {
                    let now = context.clock.monotonic();
                    watch.looked(&mut look.view, now);
                    let plan = self.plan_for(&look.view, goal).await?;
                    show(context, &plan);
                    if plan.is_reached() {
                        return Ok(report);
                    }
                    if plan.steps.is_empty() {
                        return Err(hindered(goal, &plan));
                    }
                    let acted = self
                        .take_steps(&mut look, &plan, context, (&mut watch, &mut report, &mut last_failure))
                        .await?;
                    if !acted {
                        watch.check_patience(&plan, now)?;
                    }
                }
            }
            tokio::select! {
                () = context.cancel.cancelled() => {}
                () = context.clock.sleep(self.options.poll_after) => {}
            }
        }
    }

    /// Takes the steps that can be taken at once, until one turns out otherwise than planned. Whether any was taken.
    async fn take_steps(
        &self,
        look: &mut Look,
        plan: &Plan,
        context: &JobContext,
        (watch, report, last_failure): (&mut Watch, &mut QdrantReport, &mut Option<Error>),
    ) -> Result<bool> {
        let mut acted = false;
        for step in plan.startable() {
            context.check(OPERATION)?;
            watch.attempt(&step.action, last_failure.as_ref())?;
            tracing::info!(action = %step.action, reason = %step.reason, "changing the cluster");
            match self.perform(look, &step.action).await {
                Ok(true) => {
                    acted = true;
                    context.progress.add(1);
                    count(report, &step.action);
                }
                // Somebody or something else was there first: look again.
                Ok(false) => break,
                Err(error)
                    if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) =>
                {
                    return Err(error);
                }
                // Whatever it did, the next look shows.
                Err(error) => {
                    tracing::warn!(error = error.full(), action = %step.action, "the step failed");
                    *last_failure = Some(error);
                    break;
                }
            }
        }
        Ok(acted)
    }

    /// Looks once more at what an action is about, and does it if that still allows it. `false`: not done.
    async fn perform(&self, look: &mut Look, action: &Action) -> Result<bool> {
        if let Some(name) = action.collection() {
            look.refresh(&self.client, name).await?;
        }
        if !action.is_allowed(&look.view) || !self.has_room(&look.view, action) {
            return Ok(false);
        }
        if let Action::RemovePeer { peer } = action {
            let path = ["cluster", "peer", &peer.to_string()];
            return self.client.change("remove peer", Method::DELETE, (&look.base, &path), None::<&()>).await;
        }
        let (Some(operation), Some(name)) = (Operation::of(action), action.collection()) else {
            return Ok(false);
        };
        let path = ["collections", name, "cluster"];
        let done = self.client.change(OPERATION, Method::POST, (&look.base, &path), Some(&operation)).await?;
        if let (Some(route), Some(collection)) = (action.transfer(), look.view.collections.get_mut(name)) {
            // The next step of this look must count it.
            let sync = matches!(action, Action::ReplicateShard(_));
            let (shard, from, to) = (route.shard, route.from, route.to);
            collection.transfers.push(Transfer {
                shard,
                from,
                to,
                sync,
                stalled: false,
                comment: String::new(),
            });
        }
        Ok(done)
    }

    /// Whether the limits leave room for an action, as far as known now.
    fn has_room(&self, view: &ClusterView, action: &Action) -> bool {
        let limits = self.options.limits;
        action.transfer().is_none_or(|route| {
            view.transfers().count() < limits.transfers_max.max(1)
                && [route.from, route.to]
                    .into_iter()
                    .all(|peer| view.transfers_of(peer) < limits.transfers_per_peer_max.max(1))
        })
    }
}

fn show(context: &JobContext, plan: &Plan) {
    let done = context.progress.state().done;
    let left = u64::try_from(plan.steps.len()).unwrap_or(u64::MAX);
    context.progress.set_total(done.saturating_add(left));
}

fn count(report: &mut QdrantReport, action: &Action) {
    match action {
        Action::MoveShard(_) | Action::ReplicateShard(_) => report.transfers_started += 1,
        Action::AbortTransfer(_) => report.transfers_aborted += 1,
        Action::DropReplica { .. } => report.replicas_dropped += 1,
        Action::RemovePeer { .. } => report.peers_removed += 1,
        Action::Wait { .. } => {}
    }
}

/// What is in the way, the first obstacle in full.
fn hindered(goal: &Goal, plan: &Plan) -> Error {
    let more = plan.obstacles.len().saturating_sub(1);
    let first = plan.obstacles.first();
    let mut what = first.map(|obstacle| obstacle.what()).unwrap_or_default();
    if more > 0 {
        what.push_str(&format!(" (and {more} more)"));
    }
    let error = Error::new(ErrorKind::Unsupported, goal.to_string(), what);
    match first {
        Some(obstacle) => error.with_remedy(obstacle.remedy()),
        None => error,
    }
}
