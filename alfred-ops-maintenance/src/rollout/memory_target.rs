//! A target in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

use super::{Readiness, Release, RevisionView, RolloutTarget, TargetView, TrafficSplit};

/// A target in this process, for tests and demonstrations. New revisions are ready at once; clones are the same target.
#[derive(Debug, Clone)]
pub struct MemoryRolloutTarget(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    generation: u64,
    revisions: BTreeMap<String, RevisionView>,
    split: TrafficSplit,
}

impl MemoryRolloutTarget {
    /// A target whose one revision, `stable`, runs `image`.
    #[must_use]
    pub fn new(stable: &str, image: &str) -> Self {
        let view = RevisionView { image: image.to_owned(), readiness: Readiness::Ready };
        Self(Arc::new(Mutex::new(Inner {
            generation: 1,
            revisions: BTreeMap::from([(stable.to_owned(), view)]),
            split: TrafficSplit::all(stable),
        })))
    }

    /// What is there.
    #[must_use]
    pub fn view(&self) -> TargetView {
        let inner = self.lock();
        TargetView {
            version: inner.generation.to_string(),
            revisions: inner.revisions.clone(),
            split: Some(inner.split.clone()),
            under_way: None,
        }
    }

    /// Makes a revision ready or not, as the platform would: the version stays.
    pub fn becomes(&self, revision: &str, readiness: Readiness) {
        if let Some(view) = self.lock().revisions.get_mut(revision) {
            view.readiness = readiness;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        version: &str,
        operation: &'static str,
        edit: impl FnOnce(&mut Inner) -> Result<()>,
    ) -> Result<()> {
        let mut inner = self.lock();
        if inner.generation.to_string() != version {
            return Err(Error::new(ErrorKind::Conflict, operation, "it was changed meanwhile"));
        }
        edit(&mut inner)?;
        inner.generation += 1;
        Ok(())
    }
}

fn unknown(operation: &'static str, revision: &str) -> Error {
    Error::new(ErrorKind::NotFound, operation, format!("there is no revision {revision}"))
}

#[async_trait]
impl RolloutTarget for MemoryRolloutTarget {
    fn name(&self) -> &str {
        "memory"
    }

    async fn observe(&self) -> Result<TargetView> {
        Ok(self.view())
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        self.change(version, "create revision", |inner| {
            if !inner.revisions.contains_key(stable) {
                return Err(unknown("create revision", stable));
            }
            if inner.revisions.contains_key(&release.revision) {
                return Err(Error::new(ErrorKind::AlreadyExists, "create revision", "the name is taken"));
            }
            let view = RevisionView { image: release.image.clone(), readiness: Readiness::Ready };
            inner.revisions.insert(release.revision.clone(), view);
            Ok(())
        })
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        self.change(version, "split traffic", |inner| {
            if let Some((revision, _)) =
                split.shares().find(|(revision, _)| !inner.revisions.contains_key(*revision))
            {
                return Err(unknown("split traffic", revision));
            }
            inner.split = split.clone();
            Ok(())
        })
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        self.change(version, "remove revision", |inner| {
            if inner.split.percent(revision) > 0 {
                return Err(Error::new(ErrorKind::InvalidInput, "remove revision", "it has traffic"));
            }
            inner.revisions.remove(revision).map(|_| ()).ok_or_else(|| unknown("remove revision", revision))
        })
    }
}
