//! What the tests of image uses share: a store in memory and a care of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{JobContext, MemoryStateStore, Result, SimulatedClock, StateStore};
use alfred_ops_maintenance::{
    ChoreRecord, ImageCare, ImageListing, ImagePolicy, ImageRef, ImageRemoval, ImageStore, ImageUse,
    ImageView,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

/// A digest that is told by its number.
pub(crate) fn digest(number: u8) -> String {
    format!("sha256:{}", format!("{number:02x}").repeat(32))
}

/// What is in use, as people write it, in order.
pub(crate) async fn told(uses: &dyn ImageUse) -> Vec<String> {
    shown(uses.in_use().await.unwrap())
}

fn shown(images: Vec<ImageRef>) -> Vec<String> {
    let mut shown: Vec<String> = images.iter().map(ToString::to_string).collect();
    shown.sort();
    shown
}

/// A registry in memory that knows nobody who uses its images.
#[derive(Debug)]
pub(crate) struct Shelf(Mutex<Vec<ImageView>>);

impl Shelf {
    /// A shelf with an image for each tag of `repository`, whose digests count from one.
    pub(crate) fn new(repository: &str, tags: &[&str]) -> Arc<Self> {
        let images = tags.iter().zip(1..).map(|(tag, number)| {
            ImageView::new(&format!("{repository}@{}", digest(number))).with_tag(repository, tag)
        });
        Arc::new(Self(Mutex::new(images.collect())))
    }

    /// The tags that are left.
    pub(crate) fn tags(&self) -> Vec<String> {
        let images = self.0.lock().unwrap();
        images.iter().flat_map(|image| &image.tags).map(|tag| tag.tag.clone()).collect()
    }
}

#[async_trait]
impl ImageStore for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    async fn list(&self, _: &[String]) -> Result<ImageListing> {
        let mut listing = ImageListing::default();
        listing.images.clone_from(&self.0.lock().unwrap());
        Ok(listing)
    }

    async fn remove(&self, image: &ImageView) -> Result<ImageRemoval> {
        self.0.lock().unwrap().retain(|other| other.id != image.id);
        Ok(ImageRemoval::Removed)
    }
}

/// Looks after a shelf twice, with a week between, and returns the record of the second run.
pub(crate) async fn care_of(shelf: &Arc<Shelf>, uses: impl ImageUse) -> ChoreRecord {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let state: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new(clock.shared()));
    // Real time goes by while a server is asked, and the clock of the test stands.
    let context = JobContext::system().with_clock(clock.shared());
    let care = ImageCare::new(Arc::clone(shelf), ImagePolicy::default(), state).with_use(uses);
    let caretaker = care.caretaker().build().unwrap();
    caretaker.run(&context).await.unwrap();
    clock.advance(Duration::from_secs(40 * 24 * 3600));
    caretaker.run(&context).await.unwrap().record().unwrap().clone()
}
