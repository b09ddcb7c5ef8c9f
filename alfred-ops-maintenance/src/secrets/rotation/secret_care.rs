//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ErrorKind, JobContext, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::hand::Hand;
use super::next::after;
use super::{
    Generation, Phase, RotationBook, RotationFacts, RotationPlan, RotationPolicy, RotationRecord,
    RotationStep, SecretKind, plan_rotation,
};
use crate::secrets::store::check_name;
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, SecretStore, Turn};

/// Without a run for so long nobody can tell whether a rotation is overdue.
const UNWATCHED_MAX: Duration = Duration::from_secs(24 * 3600);

/// Changes a secret in time, without a moment in which none is valid: staged → published → active → retiring → revoked,
/// each step verified before the next and repeated after a crash.
///
/// Its plan names an overdue rotation as an obstacle, so that the [`Caretaker`] tells of it.
#[derive(Debug)]
pub struct SecretCare<K> {
    secret: String,
    store: Arc<dyn SecretStore>,
    kind: K,
    policy: RotationPolicy,
    state: Arc<dyn StateStore>,
    book: RotationBook,
    name: String,
    target: String,
}

impl<K: SecretKind> SecretCare<K> {
    /// Care of `secret` in `store`, with its record in `state`. Nothing happens before a call.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) for a bad name, or a policy whose rotation takes longer
    /// than its period.
    pub fn new(
        secret: impl Into<String>,
        store: Arc<dyn SecretStore>,
        kind: K,
        policy: RotationPolicy,
        state: Arc<dyn StateStore>,
    ) -> Result<Self> {
        let secret = secret.into();
        check_name("care for secret", &secret)?;
        policy.check()?;
        Ok(Self {
            book: RotationBook::new(Arc::clone(&state), &secret),
            name: format!("secret-{secret}"),
            target: format!("secret/{secret}"),
            secret,
            store,
            kind,
            policy,
            state,
        })
    }

    /// A caretaker that looks as often as the waits of the policy want. Its leases lie beside the record.
    #[must_use]
    pub fn caretaker(self) -> CaretakerBuilder<Self> {
        let cadence = Cadence::every(self.policy.look_every()).with_overdue_after(UNWATCHED_MAX);
        let state = Arc::clone(&self.state);
        Caretaker::builder(self, state).cadence(cadence)
    }

    /// The record of the rotation, and where a new one is asked for.
    #[must_use]
    pub const fn book(&self) -> &RotationBook {
        &self.book
    }

    /// The secret's name.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &RotationPolicy {
        &self.policy
    }

    /// How many use the generation that retires, or that would be destroyed now.
    async fn users(&self, record: &RotationRecord, now: DateTime<Utc>) -> Result<u64> {
        let over = |generation: &&Generation| after(generation.since, self.policy.disabled_for) <= now;
        let old = record.in_phase(Phase::Retiring).or_else(|| record.in_phase(Phase::Revoked).filter(over));
        match old {
            Some(old) if record.is_named_alone(old) => self.kind.users(&old.handle).await,
            _ => Ok(0),
        }
    }

    /// Whether a generation that can be read works.
    ///
    /// # Errors
    /// Nobody can tell.
    pub(super) async fn works(&self, generation: &Generation) -> Result<bool> {
        use ErrorKind::{Conflict, Corrupt, InvalidInput, NotFound, PermissionDenied, Unsupported};
        let Some(version) = generation.version else { return Ok(false) };
        let value = self.store.read(&self.secret, version).await?;
        match self.kind.verify(&generation.handle, &value).await {
            Ok(()) => Ok(true),
            Err(error) => match error.kind() {
                Conflict | Corrupt | InvalidInput | NotFound | PermissionDenied | Unsupported => {
                    let (secret, generation, error) = (&self.secret, generation.number, error.full());
                    tracing::warn!(error, secret, generation, "it does not work");
                    Ok(false)
                }
                _ => Err(error),
            },
        }
    }

    pub(super) const fn kind(&self) -> &K {
        &self.kind
    }

    pub(super) fn store(&self) -> &dyn SecretStore {
        &*self.store
    }
}

#[async_trait]
impl<K: SecretKind> Chore for SecretCare<K> {
    type Facts = RotationFacts;
    type Plan = RotationPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, context: &JobContext) -> Result<RotationFacts> {
        let record = self.book.record().await?;
        let view = self.store.look(&self.secret).await?;
        let mut facts = RotationFacts { record, view, ..RotationFacts::default() };
        facts.users = self.users(&facts.record, context.now()).await?;
        if let Some(before) = facts.record.in_phase(Phase::Retiring) {
            let active = facts.record.active().filter(|active| facts.is_readable(active));
            if let Some(active) = active {
                // Who cannot tell now will be able to.
                facts.refused = matches!(self.works(active).await, Ok(false));
            }
            if active.is_none() || facts.refused {
                facts.returnable = facts.is_readable(before) && self.works(before).await?;
            }
        }
        Ok(facts)
    }

    fn plan(&self, facts: &RotationFacts, now: DateTime<Utc>) -> RotationPlan {
        plan_rotation(facts, &self.policy, now)
    }

    async fn apply(&self, plan: &RotationPlan, turn: &mut Turn<'_>) -> Result<()> {
        let mut hand = Hand::open(self, turn.context()).await?;
        for (step, _) in &plan.steps {
            if !turn.may_go_on().await {
                return Ok(());
            }
            hand.take(*step).await?;
            tracing::info!(secret = self.secret, %step, "secret");
            if let RotationStep::Adopt { version } = step
                && hand.is_nameless()
            {
                turn.note(format!(
                    "version {version} names nobody who could be revoked: revoke it by hand after its time"
                ));
            }
            turn.did(1, Duration::ZERO);
        }
        Ok(())
    }
}
