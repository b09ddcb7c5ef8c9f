//! The chore.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, JobContext, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::family::Family;
use super::image_store::IMAGES_MAX;
use super::seen_images::SeenImages;
use super::{
    ImageFacts, ImagePlan, ImagePolicy, ImageRemoval, ImageStore, ImageUse, ImageView, UsedImage, plan_images,
};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Stop, Turn};

/// As the guide has it: once a month.
const EVERY: Duration = Duration::from_secs(30 * 24 * 3600);
/// Who uses images answers within this time, or counts as silent.
const USE_TIMEOUT: Duration = Duration::from_secs(60);
/// Within a run, whoever uses images is asked again after this time.
const USE_FRESH: Duration = Duration::from_secs(10);
/// So many removals in a row that fail are the store's fault, and end the run.
const FAILURES_MAX: usize = 10;

/// Removes images that nobody needs from an engine or a registry.
///
/// A look notes in the state store which images it has seen, for their age counts from there: the first run removes nothing. A
/// run asks all who use images again every ten seconds, and the store asks itself right before each removal. A killed run leaves
/// nothing half-done that the next does not finish.
///
/// A registry knows nobody who uses its images. Here Cloud Run and a cluster tell:
///
/// ```no_run
/// # #[cfg(all(feature = "images", feature = "cloud-run-use", feature = "kubernetes-use"))]
/// # async fn care(state: std::sync::Arc<dyn alfred_ops_core::StateStore>) -> alfred_ops_core::Result<()> {
/// use std::sync::Arc;
///
/// use alfred_ops_core::http::HttpOptions;
/// use alfred_ops_core::{JobContext, SystemClock};
/// use alfred_ops_maintenance::{CloudRunUse, ImageCare, ImagePolicy, KubernetesUse, Registry};
/// use alfred_ops_scaling::{CloudRunInventory, CloudRunOptions, KubernetesCluster};
///
/// let clock = SystemClock::shared();
/// let registry = Registry::new("registry", "https://registry.example", &HttpOptions::default(), Arc::clone(&clock))?;
/// let cluster = Arc::new(KubernetesCluster::of_this_pod(clock)?);
/// let region = CloudRunInventory::connect(CloudRunOptions::region("social-intel", "europe-west1")?).await?;
/// let care = ImageCare::new(registry, ImagePolicy::default(), state)
///     .with_use(KubernetesUse::new("cluster", cluster))
///     .with_use(CloudRunUse::new("cloud-run", [region])?);
/// let caretaker = care.caretaker().build()?;
/// let context = JobContext::system();
/// println!("{}", caretaker.plan(&context).await?);
/// caretaker.run(&context).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ImageCare<S> {
    store: S,
    policy: ImagePolicy,
    uses: Vec<Arc<dyn ImageUse>>,
    state: Arc<dyn StateStore>,
    name: String,
    target: String,
}

impl<S: ImageStore> ImageCare<S> {
    /// Care of the images in `store`; when each was first seen is kept in `state`. Nothing happens before a call.
    #[must_use]
    pub fn new(store: S, policy: ImagePolicy, state: Arc<dyn StateStore>) -> Self {
        let name = format!("images-{}", store.name());
        Self { target: name.clone(), name, store, policy, uses: Vec::new(), state }
    }

    /// Asks `uses`, too, what is in use.
    #[must_use]
    pub fn with_use(mut self, uses: impl ImageUse) -> Self {
        self.uses.push(Arc::new(uses));
        self
    }

    /// A caretaker that runs it every month.
    #[must_use]
    pub fn caretaker(self) -> CaretakerBuilder<Self> {
        let state = Arc::clone(&self.state);
        Caretaker::builder(self, state).cadence(Cadence::every(EVERY))
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// What is in use elsewhere, and who does not answer.
    async fn used(&self, context: &JobContext) -> (Vec<UsedImage>, Vec<String>) {
        let (mut used, mut silent) = (Vec::new(), Vec::new());
        for source in &self.uses {
            let answer = context.clock.timeout(USE_TIMEOUT, "ask who uses images", source.in_use()).await;
            match answer.and_then(|answer| answer) {
                Ok(images) => {
                    used.extend(images.into_iter().map(|image| UsedImage::new(source.name(), image)));
                }
                Err(error) => {
                    silent.push(format!(
                        "{} does not tell what is in use there: {}",
                        source.name(),
                        error.full()
                    ));
                }
            }
        }
        (used, silent)
    }
}

/// What became of a run.
#[derive(Debug, Default)]
struct Tally {
    removed: usize,
    vanished: usize,
    /// What images that stay need.
    stays: BTreeSet<String>,
    left: usize,
    /// The first error of a removal.
    error: Option<Error>,
    failed: usize,
    failed_in_a_row: usize,
}

impl Tally {
    fn leave(&mut self, image: &ImageView, why: &str, turn: &mut Turn<'_>) {
        self.left += 1;
        self.stays.extend(image.needs.iter().cloned());
        turn.note(format!("{image} stays: {why}"));
    }

    /// One image that cannot be removed keeps no other from its turn.
    fn fail(&mut self, image: &ImageView, error: Error, turn: &mut Turn<'_>) {
        self.leave(image, &error.full(), turn);
        self.error.get_or_insert(error);
        self.failed += 1;
        self.failed_in_a_row += 1;
    }
}

#[async_trait]
impl<S: ImageStore> Chore for ImageCare<S> {
    type Facts = ImageFacts;
    type Plan = ImagePlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, context: &JobContext) -> Result<ImageFacts> {
        let seen = SeenImages::new(Arc::clone(&self.state), self.store.name());
        let listing = self.store.list(&seen.known().await?).await?;
        if listing.images.len() > IMAGES_MAX {
            let many = format!("there are more than {IMAGES_MAX} images");
            return Err(Error::new(ErrorKind::ResourceExhausted, "look at images", many)
                .with_target(self.store.name())
                .with_remedy("look after its repositories one by one"));
        }
        let (used, mut unsure) = self.used(context).await;
        if !listing.sees_use && self.uses.is_empty() {
            unsure.push(format!(
                "{} does not know who uses its images; add a use for each host",
                self.store.name()
            ));
        }
        let mut images = listing.images;
        let forget = listing.missing.is_empty();
        seen.note(&mut images, forget, context.now(), context.fence.as_ref()).await?;
        Ok(ImageFacts { images, used, unsure, missing: listing.missing })
    }

    fn plan(&self, facts: &ImageFacts, now: DateTime<Utc>) -> ImagePlan {
        plan_images(facts, &self.policy, now)
    }

    async fn apply(&self, plan: &ImagePlan, turn: &mut Turn<'_>) -> Result<()> {
        let clock = Arc::clone(&turn.context().clock);
        let family = Family::new(plan.steps.iter().map(|step| &step.image).collect());
        let (mut users, mut asked) = (Default::default(), None::<Duration>);
        let mut tally = Tally::default();
        for (place, step) in plan.steps.iter().enumerate() {
            if tally.failed_in_a_row == FAILURES_MAX || !turn.may_go_on().await {
                break;
            }
            if asked.is_none_or(|asked| clock.monotonic().saturating_sub(asked) >= USE_FRESH) {
                let (used, silent) = self.used(turn.context()).await;
                if let Some(silent) = silent.into_iter().next() {
                    return Err(Error::new(ErrorKind::Unavailable, "remove images", silent));
                }
                users = family.users(&used);
                asked = Some(clock.monotonic());
            }
            if let Some(by) = users.get(&place) {
                tally.leave(&step.image, &format!("it is now in use by {by}"), turn);
            } else if tally.stays.contains(&step.image.id) {
                tally.leave(&step.image, "an image that stays needs it", turn);
            } else {
                let removal = match self.store.remove(&step.image).await {
                    Ok(removal) => removal,
                    Err(error) if is_its_own(&error) => {
                        tally.fail(&step.image, error, turn);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                tally.failed_in_a_row = 0;
                match removal {
                    ImageRemoval::Removed => {
                        tally.removed += 1;
                        turn.did(step.bytes, Duration::ZERO);
                    }
                    ImageRemoval::Vanished => tally.vanished += 1,
                    ImageRemoval::Stays(why) => tally.leave(&step.image, &why, turn),
                }
            }
        }
        let Tally { removed, vanished, left, error, failed, .. } = tally;
        let kept = plan.kept.len() + left;
        turn.note(format!("{removed} images removed, {kept} kept, {vanished} were gone"));
        if plan.more > 0 {
            turn.stop(Stop::PlanFull);
        }
        error.map_or(Ok(()), |error| {
            let what = format!("{failed} images could not be removed");
            Err(Error::new(error.kind(), "remove images", what).with_source(error))
        })
    }
}

/// Whether an error says nothing about other images. What keeps everything from being removed ends a run.
fn is_its_own(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::Cancelled | ErrorKind::Fenced
    )
}
