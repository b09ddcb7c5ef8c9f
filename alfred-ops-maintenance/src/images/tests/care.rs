//! The chore over a store in memory, under a clock that the test drives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{
    Document, Error, ErrorKind, JobContext, MemoryStateStore, Result, SimulatedClock, StateStore,
};
use async_trait::async_trait;

use super::{digest, hour};
use crate::{
    Caretaker, ChoreOutcome, ChoreRecord, ClosureUse, ImageCare, ImageLayer, ImageListing, ImagePolicy,
    ImageRemoval, ImageStore, ImageView,
};

type Answer = Box<dyn Fn(&ImageView) -> Result<ImageRemoval> + Send>;

struct Shelf {
    images: Mutex<Vec<ImageView>>,
    sees_use: bool,
    /// What becomes of a removal, before it happens.
    answer: Mutex<Answer>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shelf")
    }
}

impl Shelf {
    fn new(images: Vec<ImageView>) -> Arc<Self> {
        let removed: Answer = Box::new(|_| Ok(ImageRemoval::Removed));
        Arc::new(Self { images: Mutex::new(images), sees_use: true, answer: Mutex::new(removed) })
    }

    fn ids(&self) -> Vec<String> {
        self.images.lock().unwrap().iter().map(|image| image.id.clone()).collect()
    }
}

#[async_trait]
impl ImageStore for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    async fn list(&self, _: &[String]) -> Result<ImageListing> {
        let images = self.images.lock().unwrap().clone();
        Ok(ImageListing { images, sees_use: self.sees_use, missing: Vec::new() })
    }

    async fn remove(&self, image: &ImageView) -> Result<ImageRemoval> {
        let answer = (self.answer.lock().unwrap())(image)?;
        if answer == ImageRemoval::Removed {
            self.images.lock().unwrap().retain(|other| other.id != image.id);
        }
        Ok(answer)
    }
}

fn image(number: usize, tag: &str) -> ImageView {
    let mut image = ImageView::new(&digest(number)).with_tag("app", tag);
    image.layers = vec![ImageLayer::new(&image.id, 10)];
    image
}

struct Scene {
    clock: SimulatedClock,
    state: Arc<MemoryStateStore>,
    shelf: Arc<Shelf>,
}

impl Scene {
    fn new(images: Vec<ImageView>) -> Self {
        let clock = SimulatedClock::starting_at(hour(0));
        let state = Arc::new(MemoryStateStore::new(clock.shared()));
        Self { clock, state, shelf: Shelf::new(images) }
    }

    fn care(&self) -> ImageCare<Arc<Shelf>> {
        ImageCare::new(
            Arc::clone(&self.shelf),
            ImagePolicy::default(),
            Arc::clone(&self.state) as Arc<dyn StateStore>,
        )
    }

    fn context(&self) -> JobContext {
        JobContext::system().with_clock(self.clock.shared())
    }

    async fn run(&self, care: ImageCare<Arc<Shelf>>) -> Result<ChoreRecord> {
        let caretaker: Caretaker<_> = care.caretaker().build().unwrap();
        Ok(caretaker.run(&self.context()).await?.record().unwrap().clone())
    }

    /// All images are looked at, and then get old.
    async fn age(&self) {
        self.run(self.care()).await.unwrap();
        self.clock.advance(Duration::from_secs(169 * 3600));
    }
}

#[tokio::test]
async fn age_counts_from_the_first_look() {
    let scene = Scene::new(vec![image(1, "a"), image(2, "latest")]);
    let record = scene.run(scene.care()).await.unwrap();
    assert_eq!((record.outcome, record.figures.work), (ChoreOutcome::Finished, 0));
    scene.clock.advance(Duration::from_secs(169 * 3600));
    // Pulled now, however old it is.
    scene.shelf.images.lock().unwrap().push(image(3, "b"));
    let record = scene.run(scene.care()).await.unwrap();
    assert_eq!(scene.shelf.ids(), [digest(2), digest(3)]);
    assert_eq!((record.figures.work, record.figures.steps), (10, 1));
    assert_eq!(record.figures.notes, ["1 images removed, 2 kept, 0 were gone"]);
    assert_eq!(record.outcome, ChoreOutcome::Finished);
    // It comes back, and is young again.
    scene.shelf.images.lock().unwrap().push(image(1, "a"));
    scene.run(scene.care()).await.unwrap();
    assert_eq!(scene.shelf.ids(), [digest(2), digest(3), digest(1)]);
}

#[tokio::test]
async fn who_does_not_answer_keeps_all() {
    let scene = Scene::new(vec![image(1, "a")]);
    scene.age().await;
    let failing = ClosureUse::new("cluster", || async {
        Err(Error::new(ErrorKind::Unavailable, "list pods", "no connection"))
    });
    let record = scene.run(scene.care().with_use(failing)).await.unwrap();
    let told =
        "nothing is removed, since cluster does not tell what is in use there: list pods: no connection";
    assert!(record.outcome.to_string().contains(told), "{record}");
    assert_eq!(scene.shelf.ids().len(), 1);
    // A registry that nobody speaks for.
    let shelf = Shelf { sees_use: false, ..Arc::into_inner(Shelf::new(vec![image(1, "a")])).unwrap() };
    let scene = Scene { shelf: Arc::new(shelf), ..scene };
    let record = scene.run(scene.care()).await.unwrap();
    assert!(record.outcome.to_string().contains("shelf does not know who uses its images"), "{record}");
    // Answered, if only by nobody.
    scene.run(scene.care().with_use(ClosureUse::new("cluster", || async { Ok(Vec::new()) }))).await.unwrap();
    assert_eq!(scene.shelf.ids().len(), 0);
}

#[tokio::test]
async fn a_use_that_begins_within_a_run_counts_and_silence_ends_the_run() {
    let scene = Scene::new(vec![image(1, "a"), image(2, "b")]);
    scene.age().await;
    let asked = Arc::new(Mutex::new(0));
    let uses = |silent: bool| {
        let asked = Arc::clone(&asked);
        *asked.lock().unwrap() = 0;
        ClosureUse::new("cluster", move || {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            let answer = match (*asked, silent) {
                (1, _) => Ok(Vec::new()),
                (_, true) => Err(Error::new(ErrorKind::Timeout, "list pods", "no answer")),
                (_, false) => Ok(vec![digest(2).parse().unwrap()]),
            };
            async move { answer }
        })
    };
    let error = scene.run(scene.care().with_use(uses(true))).await.unwrap_err();
    assert!(error.to_string().contains("cluster does not tell"), "{error}");
    assert_eq!(scene.shelf.ids().len(), 2);
    let record = scene.run(scene.care().with_use(uses(false))).await.unwrap();
    assert!(record.figures.notes[0].ends_with("stays: it is now in use by cluster"), "{record:?}");
    assert_eq!(scene.shelf.ids(), [digest(2)]);
}

#[tokio::test]
async fn what_an_image_that_stays_needs_stays_and_a_failed_run_goes_on() {
    let mut index = image(9, "old");
    index.is_index = true;
    index.needs = vec![digest(1), digest(2)];
    let scene = Scene::new(vec![image(1, "a"), image(2, "b"), image(3, "c"), index]);
    scene.age().await;
    *scene.shelf.answer.lock().unwrap() = Box::new(|image| {
        Ok(if image.is_index {
            ImageRemoval::Stays("it was moved".to_owned())
        } else {
            ImageRemoval::Removed
        })
    });
    let record = scene.run(scene.care()).await.unwrap();
    assert_eq!(scene.shelf.ids(), [digest(1), digest(2), digest(9)]);
    assert_eq!(record.outcome.name(), "ineffective");
    // The second of three fails and the third goes; then a killed request turns out to have arrived.
    *scene.shelf.answer.lock().unwrap() = Box::new(|image| {
        if image.id == digest(1) {
            Err(Error::new(ErrorKind::Timeout, "remove image", "no answer"))
        } else {
            Ok(ImageRemoval::Removed)
        }
    });
    let error = scene.run(scene.care()).await.unwrap_err();
    assert!(
        error.full().contains("1 images could not be removed: remove image: no answer"),
        "{}",
        error.full()
    );
    assert_eq!(scene.shelf.ids(), [digest(1)]);
    *scene.shelf.answer.lock().unwrap() = Box::new(|image| {
        Ok(if image.id == digest(1) { ImageRemoval::Vanished } else { ImageRemoval::Removed })
    });
    let record = scene.run(scene.care()).await.unwrap();
    assert_eq!(record.figures.notes, ["0 images removed, 0 kept, 1 were gone"]);
}

#[tokio::test]
async fn a_store_that_fails_at_every_image_is_not_asked_for_all_of_them() {
    let scene = Scene::new((0..40).map(|number| image(number, &format!("t{number}"))).collect());
    scene.age().await;
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    *scene.shelf.answer.lock().unwrap() = Box::new(move |_| {
        *counted.lock().unwrap() += 1;
        Err(Error::new(ErrorKind::Unavailable, "remove image", "no connection"))
    });
    scene.run(scene.care()).await.unwrap_err();
    assert_eq!(*asked.lock().unwrap(), 10);
}

#[tokio::test]
async fn a_new_tag_makes_an_old_image_young_and_a_lost_one_is_not_forgotten() {
    let mut bare = image(2, "b");
    bare.tags.clear();
    let scene = Scene::new(vec![image(1, "a"), bare]);
    scene.age().await;
    let keep = |scene: &Scene, number: usize, tag: &str| {
        let mut images = scene.shelf.images.lock().unwrap();
        let kept = images.iter_mut().find(|image| image.id == digest(number)).unwrap();
        kept.tags = image(number, tag).tags;
    };
    keep(&scene, 1, "v1.0.0-rc2");
    keep(&scene, 2, "v1.0.0-rc3");
    let record = scene.run(scene.care()).await.unwrap();
    assert_eq!(record.figures.work, 0, "{record}");
    scene.clock.advance(Duration::from_secs(169 * 3600));
    let former = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&former);
    *scene.shelf.answer.lock().unwrap() = Box::new(move |image| {
        told.lock().unwrap().extend(image.former_tags.iter().map(ToString::to_string));
        Ok(ImageRemoval::Removed)
    });
    scene.run(scene.care()).await.unwrap();
    assert_eq!((scene.shelf.ids(), former.lock().unwrap().clone()), (vec![], vec!["app:a".to_owned()]));
}

#[tokio::test]
async fn what_was_seen_is_spread_and_damage_to_it_removes_nothing() {
    let scene = Scene::new((0..40).map(|number| image(number, &format!("t{number}"))).collect());
    scene.age().await;
    let documents = scene.state.list("images/", "", 100).await.unwrap();
    assert!((2..=16).contains(&documents.len()), "{documents:?}");
    let Document { key, version, .. } = documents[0].clone();
    let broken = alfred_ops_core::Write::replace(key, serde_json::json!({"images": {"x": "y"}}), version);
    scene.state.put(&broken).await.unwrap();
    assert_eq!(scene.run(scene.care()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(scene.shelf.ids().len(), 40);
}
