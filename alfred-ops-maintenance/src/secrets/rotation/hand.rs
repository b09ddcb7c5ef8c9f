//! Does the steps of a rotation.

use alfred_ops_core::{Error, ErrorKind, Expected, Id, JobContext, Result, Secret};

use super::{Generation, Phase, RotationRecord, RotationStep, SecretCare, SecretKind};
use crate::VersionState;

/// Does the steps of a rotation, each against the record as it is then. A step is recorded before it is begun and after
/// it is done.
pub(super) struct Hand<'a, K> {
    care: &'a SecretCare<K>,
    context: &'a JobContext,
    record: RotationRecord,
    before: Expected,
}

impl<'a, K: SecretKind> Hand<'a, K> {
    pub(super) async fn open(care: &'a SecretCare<K>, context: &'a JobContext) -> Result<Self> {
        let (record, before) = care.book().load().await?;
        Ok(Self { care, context, record, before })
    }

    pub(super) async fn take(&mut self, step: RotationStep) -> Result<()> {
        match step {
            RotationStep::Adopt { version } => self.adopt(step, version).await,
            RotationStep::Stage { generation } => self.stage_next(step, generation).await,
            RotationStep::Restage { generation } => self.restage(step, generation).await,
            RotationStep::Publish { generation } => self.publish(step, generation).await,
            RotationStep::Activate { generation } => self.activate(step, generation).await,
            RotationStep::Return { generation } => self.go_back(step, generation).await,
            RotationStep::Revoke { generation } => self.revoke(step, generation).await,
            RotationStep::Destroy { generation } => self.destroy(step, generation).await,
        }
    }

    /// Whether nobody knows what names the active one.
    pub(super) fn is_nameless(&self) -> bool {
        self.record.active().is_some_and(|active| active.handle.is_empty())
    }

    async fn adopt(&mut self, step: RotationStep, version: u64) -> Result<()> {
        self.begin(step).await?;
        let (store, secret) = (self.care.store(), self.care.secret());
        let added_at = store.look(secret).await?.added_at(version).unwrap_or_else(|| self.context.now());
        let value = store.read(secret, version).await?;
        let handle = match self.care.kind().identify(&value).await {
            Ok(handle) => handle,
            // Nobody can lock or revoke it, but it can be replaced.
            Err(error) if error.kind() == ErrorKind::Unsupported => String::new(),
            Err(error) => return Err(error),
        };
        self.record.adopt(version, handle, added_at, self.context.now());
        self.end().await
    }

    async fn stage_next(&mut self, step: RotationStep, number: u64) -> Result<()> {
        if number != self.record.begun + 1 {
            return Err(self.changed());
        }
        // What is made from now on answers the wish; one that comes later is another.
        self.record.wanted = None;
        self.stage(step, number).await
    }

    async fn stage(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let (store, secret) = (self.care.store(), self.care.secret());
        let above = store.look(secret).await?.latest();
        let id = Id::new(self.context.now(), &*self.context.entropy).to_string();
        self.record.stage(number, id.clone(), above, self.context.now());
        self.begin(step).await?;
        let in_use =
            self.record.active().map(|active| active.handle.clone()).filter(|handle| !handle.is_empty());
        let made = self.care.kind().make(&id, in_use.as_deref()).await?;
        if in_use.as_ref() == Some(&made.handle) {
            return Err(self.fault(ErrorKind::Conflict, "the new one has the handle of the one in use"));
        }
        let version = store.add(secret, &made.value).await?;
        // Whoever reads it later must find what was made.
        if store.read(secret, version).await?.expose() != made.value.expose() {
            return Err(
                self.fault(ErrorKind::Corrupt, "the store gives back another value than it was given")
            );
        }
        self.record.keep(number, version, made.handle);
        let ended = self.end().await;
        if let Err(error) = &ended
            && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Fenced)
        {
            self.withdraw(&id, version).await?;
        }
        ended
    }

    /// Takes back what was made too late: another host goes on, and withdrew this attempt before there was anything.
    async fn withdraw(&self, id: &str, version: u64) -> Result<()> {
        let record = self.care.book().record().await?;
        if record.generations.iter().any(|generation| generation.id == id) {
            return Ok(());
        }
        self.care.kind().abandon(id).await?;
        self.care.store().set_state(self.care.secret(), version, VersionState::Disabled).await
    }

    async fn restage(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let unused = [Phase::Staged, Phase::Published];
        let left = unused.into_iter().find_map(|phase| self.generation(number, phase).ok());
        let left = left.ok_or_else(|| self.changed())?;
        let (store, secret) = (self.care.store(), self.care.secret());
        // Seen before the record says that it is ours: what a host adds that takes over from us is not among it.
        let view = store.look(secret).await?;
        if left.version.and_then(|version| view.state_of(version)) == Some(VersionState::Enabled) {
            return Err(self.changed());
        }
        self.begin(step).await?;
        self.care.kind().abandon(&left.id).await?;
        // What was added since is most likely ours, if we do not know which is. It may be somebody else's, so it is not
        // destroyed.
        let unknown = left.version.is_none();
        for version in view.versions.iter().filter(|version| unknown && version.number > left.above) {
            if version.state == VersionState::Enabled && view.active != Some(version.number) {
                store.set_state(secret, version.number, VersionState::Disabled).await?;
            }
        }
        self.stage(RotationStep::Stage { generation: number }, number).await
    }

    async fn publish(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let generation = self.generation(number, Phase::Staged)?;
        self.begin(step).await?;
        let value = self.value(&generation).await?;
        self.care.kind().publish(&generation.handle, &value).await?;
        self.verify_new(&generation).await?;
        self.record.enter(number, Phase::Published, self.context.now());
        self.end().await
    }

    async fn activate(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let generation = self.generation(number, Phase::Published)?;
        self.begin(step).await?;
        self.verify_new(&generation).await?;
        self.point(&generation).await?;
        self.record.activate(number, self.context.now());
        self.end().await
    }

    async fn go_back(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let generation = self.generation(number, Phase::Retiring);
        let generation = generation.or_else(|_| self.generation(number, Phase::Revoked))?;
        let left = self.record.active().cloned();
        self.begin(step).await?;
        self.verify(&generation).await?;
        self.point(&generation).await?;
        if let Some(left) = left
            && self.record.wanted.is_none()
            && !self.may_work(&left).await?
        {
            self.record.wanted = Some(format!("generation {} did not work any more", left.number));
        }
        self.record.activate(number, self.context.now());
        self.end().await
    }

    async fn may_work(&self, generation: &Generation) -> Result<bool> {
        let view = self.care.store().look(self.care.secret()).await?;
        let state = generation.version.and_then(|version| view.state_of(version));
        Ok(state == Some(VersionState::Enabled) && self.care.works(generation).await.unwrap_or(true))
    }

    /// Makes a generation the active one of the store.
    async fn point(&self, generation: &Generation) -> Result<()> {
        let (store, secret) = (self.care.store(), self.care.secret());
        let view = store.look(secret).await?;
        if view.active == generation.version {
            return Ok(());
        }
        let before = self.record.active().and_then(|active| active.version);
        let readable = |version: Option<u64>| {
            version.and_then(|version| view.state_of(version)) == Some(VersionState::Enabled)
        };
        // Where nobody can read anything, nothing is undone.
        if view.active != before && (readable(view.active) || readable(before)) {
            return Err(self.changed());
        }
        let version = generation.version.ok_or_else(|| self.changed())?;
        store.point(secret, version, &view.revision).await
    }

    async fn revoke(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let generation = self.generation(number, Phase::Retiring)?;
        self.begin(step).await?;
        // The old one goes only while the new one works.
        self.verify_active().await?;
        if self.record.is_named_alone(&generation) {
            let locked = self.care.kind().lock(&generation.handle).await;
            if locked.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
                // It is as it was: nothing is left to be done again.
                self.end().await?;
            }
            locked?;
        }
        self.set_state(&generation, VersionState::Disabled).await?;
        self.record.enter(number, Phase::Revoked, self.context.now());
        self.end().await
    }

    async fn destroy(&mut self, step: RotationStep, number: u64) -> Result<()> {
        let generation = self.generation(number, Phase::Revoked)?;
        self.begin(step).await?;
        // All that could speak against it comes before what cannot be undone.
        self.verify_active().await?;
        let state = self.care.store().look(self.care.secret()).await?;
        if generation.version.and_then(|version| state.state_of(version)) == Some(VersionState::Enabled) {
            return Err(self.enabled_again());
        }
        if self.record.is_named_alone(&generation) {
            let kind = self.care.kind();
            let users = kind.users(&generation.handle).await?;
            if users > 0 {
                return Err(self
                    .fault(ErrorKind::Conflict, "somebody uses the old one again, although it was locked")
                    .with_remedy(format!("end the {users} sessions of {:?}", generation.handle)));
            }
            // Somebody may have unlocked it since.
            kind.lock(&generation.handle).await?;
            kind.revoke(&generation.handle).await?;
        }
        self.set_state(&generation, VersionState::Destroyed).await?;
        self.record.destroy(number, self.context.now());
        self.end().await
    }

    async fn verify_active(&self) -> Result<()> {
        self.verify(self.record.active().ok_or_else(|| self.changed())?).await
    }

    async fn verify(&self, generation: &Generation) -> Result<()> {
        let value = self.value(generation).await?;
        self.care.kind().verify(&generation.handle, &value).await
    }

    /// An issuer may need a while to know one, so the same is tried again, until a person says otherwise.
    async fn verify_new(&self, generation: &Generation) -> Result<()> {
        self.verify(generation).await.map_err(|error| {
            let version = generation.version.unwrap_or_default();
            error.with_remedy(format!(
                "if it will never work, disable version {version}: another is made then"
            ))
        })
    }

    /// Somebody may have disabled or destroyed it by hand already.
    async fn set_state(&self, generation: &Generation, state: VersionState) -> Result<()> {
        let Some(version) = generation.version else { return Ok(()) };
        let (store, secret) = (self.care.store(), self.care.secret());
        match store.look(secret).await?.state_of(version) {
            None | Some(VersionState::Destroyed) => Ok(()),
            Some(VersionState::Enabled) if state == VersionState::Destroyed => Err(self.enabled_again()),
            Some(_) => store.set_state(secret, version, state).await,
        }
    }

    async fn value(&self, generation: &Generation) -> Result<Secret> {
        let version = generation.version.ok_or_else(|| self.changed())?;
        self.care.store().read(self.care.secret(), version).await
    }

    fn generation(&self, number: u64, phase: Phase) -> Result<Generation> {
        let found = self.record.generation(number).filter(|generation| generation.phase == phase);
        found.cloned().ok_or_else(|| self.changed())
    }

    async fn begin(&mut self, step: RotationStep) -> Result<()> {
        self.record.doing = Some((step, self.context.now()));
        self.save().await
    }

    async fn end(&mut self) -> Result<()> {
        self.record.doing = None;
        self.save().await
    }

    async fn save(&mut self) -> Result<()> {
        let fence = self.context.fence.clone();
        self.before = self.care.book().save(&self.record, self.before, fence).await?;
        Ok(())
    }

    fn enabled_again(&self) -> Error {
        self.fault(ErrorKind::Conflict, "somebody enabled the old version again")
            .with_remedy("disable it once nobody needs it, or make it the active one")
    }

    fn changed(&self) -> Error {
        self.fault(ErrorKind::Conflict, "somebody else changed it meanwhile")
    }

    fn fault(&self, kind: ErrorKind, fault: &'static str) -> Error {
        Error::new(kind, "rotate secret", fault).with_target(format!(
            "{}/{}",
            self.care.store().name(),
            self.care.secret()
        ))
    }
}
