//! Brings replicas to what is written.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use alfred_ops_scaling::{
    DrainLeases, DrainingScaler, KubernetesScaler, PodCosts, PodVictims, Precondition, ScaleTarget,
    Scaler as _, Victims,
};
use serde_json::json;

use super::deployment::{Deployment, text};
use super::kubernetes_rollout::KubernetesRollout;
use super::moves::{Move, is_done, next_moves};
use super::shares::Shares;
use super::standing::Standing;
use super::{CHANGE, STARTED};

/// So often in one call it is looked whether there is more to do. What takes time is for the next call.
const ROUNDS_MAX: usize = 6;

impl KubernetesRollout {
    /// Carries the change `change` on, as far as that goes without waiting. Another change that has begun meanwhile is left to
    /// whoever began it.
    pub(super) async fn carry(&self, change: &str) -> Result<()> {
        for round in 0..ROUNDS_MAX {
            let standing = self.look().await?;
            if round == 0 {
                self.renew_notices(&standing).await?;
            }
            let Some((shares, begun)) = standing.begun().filter(|(_, begun)| begun.change == change) else {
                return Ok(());
            };
            if is_done(&standing) {
                let done = Shares { begun: None, ..shares.clone() };
                return self.anchor.write(&standing.anchor.version, &done).await.map(drop);
            }
            let moves = next_moves(&standing);
            let mut moved = false;
            for next in &moves {
                match self.make(&standing, next, &begun.change).await {
                    Ok(done) => moved |= done,
                    // Its controller wrote a note on it. The next look sees it.
                    Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                        moved = true;
                    }
                    Err(error) => return Err(error),
                }
            }
            if !moved {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Those whom a controller is still to stop begin nothing more until it has.
    async fn renew_notices(&self, standing: &Standing) -> Result<()> {
        let Some(leases) = &self.leases else { return Ok(()) };
        for one in standing.revisions.values().filter(|one| !one.settled) {
            // Nobody was told to go of a Deployment whose pods cannot be told from others.
            if let Ok(scaler) = self.draining(one, leases) {
                scaler.renew_notice().await?;
            }
        }
        Ok(())
    }

    /// Makes one move; whether it changed anything.
    async fn make(&self, standing: &Standing, next: &Move, change: &str) -> Result<bool> {
        let Some(one) = standing.revisions.get(&next.revision) else { return Ok(false) };
        let marked = one.change.as_deref() == Some(change);
        let Some(leases) = self.leases.as_ref().filter(|_| next.replicas != one.replicas) else {
            self.set(one, next.replicas, change).await?;
            return Ok(true);
        };
        if next.replicas > one.replicas {
            let version = self.set(one, next.replicas, change).await?;
            // Whoever was told to go is needed again.
            let scaler = self.draining(one, leases)?;
            scaler.scale(next.replicas, &Precondition::new(version)).await?;
            return Ok(true);
        }
        if !one.settled {
            // Pods that are on their way out would be chosen a second time.
            return Ok(false);
        }
        let version = if marked { one.version.clone() } else { self.set(one, one.replicas, change).await? };
        let outcome = self.draining(one, leases)?.scale(next.replicas, &Precondition::new(version)).await?;
        Ok(!marked || outcome.configured != one.replicas)
    }

    /// Sets the number and marks the change, on the version that was seen. The new version.
    async fn set(&self, one: &Deployment, replicas: u32, change: &str) -> Result<String> {
        let metadata = json!({ "resourceVersion": one.version, "annotations": { CHANGE: change } });
        let mut patch = json!({ "metadata": metadata });
        if replicas != one.replicas {
            patch["spec"] = json!({ "replicas": replicas });
        }
        if one.replicas == 0 && replicas > 0 {
            // Only a changed template has a progress deadline, and no pod is replaced where none is.
            patch["spec"]["template"] = json!({ "metadata": { "annotations": { STARTED: change } } });
        }
        let stored = self.deployments.patch(&one.name, &patch).await?;
        let made = stored["spec"]["replicas"].as_u64();
        if made.is_none_or(|made| made == u64::from(replicas)) {
            return Ok(text(&stored["metadata"]["resourceVersion"]));
        }
        let message = format!("the cluster made {} of {replicas} replicas", made.unwrap_or_default());
        Err(Error::new(ErrorKind::Unsupported, "split traffic", message)
            .with_target(&one.name)
            .with_retry(Retry::Unknown)
            .with_remedy("keep the replicas within what the cluster's admission lets pass"))
    }

    /// Sets numbers of a revision without stopping anybody who works.
    fn draining(&self, one: &Deployment, leases: &DrainLeases) -> Result<DrainingScaler> {
        let target = ScaleTarget::deployment(&self.namespace, &one.name)?;
        let scaler = KubernetesScaler::new(Arc::clone(&self.cluster), target);
        let pods = PodCosts::new(Arc::clone(&self.cluster), &self.namespace, one.own_pods()?)?;
        let victims = Victims::Chosen(Arc::new(PodVictims::new(pods)));
        Ok(DrainingScaler::new(Arc::new(scaler), leases.clone(), victims))
    }
}
