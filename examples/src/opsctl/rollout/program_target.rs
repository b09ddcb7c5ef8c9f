//! A target that is a program.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_maintenance::{Readiness, Release, RevisionView, RolloutTarget, TargetView, TrafficSplit};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::opsctl::program::{Answer, Program};

/// By this status a program says that the service has changed since it was looked at.
const CHANGED: i32 = 4;

/// A service of a platform that a program of the host speaks to:
///
/// - `observe` prints `{"version": …, "revisions": {NAME: {"image": …, "state": "ready"}}, "traffic": {NAME: PERCENT}}`; a
///   state is `ready`, `starting`, or what the platform says of its failure; `traffic` is left out if it does not go to
///   named revisions;
/// - `create VERSION STABLE REVISION IMAGE` makes a revision like the stable one, without traffic;
/// - `traffic VERSION {NAME: PERCENT}` splits the traffic;
/// - `retire VERSION REVISION` removes a revision.
///
/// A status of 0 means that it is done, 4 that the service is not at that version any more, and that nothing was done.
#[derive(Debug)]
pub(super) struct ProgramTarget {
    name: String,
    program: Program,
}

impl ProgramTarget {
    pub(super) fn new(name: &str, program: Program) -> Self {
        Self { name: name.to_owned(), program }
    }

    async fn done(&self, words: &[&str]) -> Result<String> {
        let Answer { status, text } = self.program.ask(words, &[], None).await?;
        let verb = words.first().copied().unwrap_or_default();
        match status {
            Some(0) => Ok(text.expose().to_owned()),
            Some(CHANGED) => Err(self.fault(ErrorKind::Conflict, "the service has changed meanwhile")),
            Some(status) => {
                Err(self.fault(ErrorKind::Unavailable, format!("{verb} ended with status {status}")))
            }
            None => Err(self.fault(ErrorKind::Unavailable, format!("{verb} was ended by a signal"))),
        }
    }

    fn fault(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, "ask target", what)
            .with_target(self.program.name())
            .with_remedy("run it by hand, and read its standard error")
    }

    fn view(&self, text: &str) -> Result<TargetView> {
        let bad = |what: &str| self.fault(ErrorKind::Internal, format!("observe printed no view: {what}"));
        let view: Value = serde_json::from_str(text).map_err(|_| bad("it is no JSON"))?;
        let version = view["version"].as_str().ok_or_else(|| bad("version is no text"))?;
        let mut revisions = BTreeMap::new();
        for (name, revision) in view["revisions"].as_object().ok_or_else(|| bad("revisions is no object"))? {
            let text =
                |field: &str| revision[field].as_str().ok_or_else(|| bad("a revision lacks image or state"));
            let readiness = match text("state")? {
                "ready" => Readiness::Ready,
                "starting" => Readiness::Starting,
                reason => Readiness::Failed { reason: reason.to_owned() },
            };
            revisions.insert(name.clone(), RevisionView { image: text("image")?.to_owned(), readiness });
        }
        let split = match &view["traffic"] {
            Value::Null => None,
            traffic => Some(serde_json::from_value(traffic.clone()).map_err(|_| bad("traffic is no split"))?),
        };
        Ok(TargetView { version: version.to_owned(), revisions, split, under_way: None })
    }
}

#[async_trait]
impl RolloutTarget for ProgramTarget {
    fn name(&self) -> &str {
        &self.name
    }

    async fn observe(&self) -> Result<TargetView> {
        self.view(&self.done(&["observe"]).await?)
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        self.done(&["create", version, stable, &release.revision, &release.image]).await.map(|_| ())
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        self.done(&["traffic", version, &json!(split).to_string()]).await.map(|_| ())
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        self.done(&["retire", version, revision]).await.map(|_| ())
    }
}
