//! The targets of a job as they come and go.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, Result, SharedClock};

use super::{Discovery, open};
use crate::job::{ScrapeJob, TargetGroup};
use crate::targets::{Resolution, resolve};

/// The targets of a job as they come and go.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use alfred_ops_alerts::{JobTargets, ScrapeJob};
/// use alfred_ops_core::SystemClock;
///
/// let job = ScrapeJob::new("agents").with_targets(["alfred-bot:8011"]);
/// let mut targets = JobTargets::new(job, SystemClock::shared())?;
/// assert!(targets.refresh().await);
/// assert_eq!(targets.resolution().active.len(), 1);
/// # Ok::<(), alfred_ops_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct JobTargets {
    job: ScrapeJob,
    places: Vec<Place>,
    resolution: Resolution,
    clock: SharedClock,
}

#[derive(Debug)]
struct Place {
    discovery: Arc<dyn Discovery>,
    due_at: Duration,
    groups: Vec<TargetGroup>,
    problems: Vec<Error>,
}

impl JobTargets {
    /// The targets of `job`, none so far. Reads files with certificates, so it blocks.
    ///
    /// # Errors
    /// `Unsupported`, naming the feature, where this build cannot ask one of the job's places; `InvalidInput`
    /// where an address or certificate cannot be used.
    pub fn new(job: ScrapeJob, clock: SharedClock) -> Result<Self> {
        let discoveries = open(&job, &clock)?;
        Ok(Self::of(job, discoveries, clock))
    }

    /// The targets that these places find for `job`, whatever the job itself names.
    #[must_use]
    pub fn of(job: ScrapeJob, discoveries: Vec<Arc<dyn Discovery>>, clock: SharedClock) -> Self {
        let place =
            |discovery| Place { discovery, due_at: Duration::ZERO, groups: Vec::new(), problems: Vec::new() };
        let places = discoveries.into_iter().map(place).collect();
        Self { job, places, resolution: Resolution::default(), clock }
    }

    /// Asks all places whose time has come, side by side, and says whether the targets changed.
    ///
    /// A place that does not answer keeps the targets it had. Dropping the future loses the answers of this
    /// round and nothing else.
    pub async fn refresh(&mut self) -> bool {
        let now = self.clock.monotonic();
        let due = self.places.iter().map(|place| place.due_at <= now);
        let due: Vec<bool> = due.collect();
        let questions =
            self.places.iter().zip(&due).filter(|(_, due)| **due).map(|(place, _)| place.discovery.find());
        let answers = futures::future::join_all(questions).await;
        let asked = self.places.iter_mut().zip(&due).filter(|(_, due)| **due).map(|(place, _)| place);
        let mut changed = false;
        for (place, answer) in asked.zip(answers) {
            changed |= place.take(answer, now);
        }
        if !changed {
            return false;
        }
        let groups: Vec<TargetGroup> = self.places.iter().flat_map(|place| place.groups.clone()).collect();
        let resolution = resolve(&self.job, &groups);
        let differs = resolution != self.resolution;
        self.resolution = resolution;
        differs
    }

    /// When the next place is due, on the clock's monotonic time; nothing if there is none to ask, or none whose answer
    /// could change.
    #[must_use]
    pub fn due_at(&self) -> Option<Duration> {
        self.places.iter().map(|place| place.due_at).filter(|due_at| *due_at != Duration::MAX).min()
    }

    /// What is scraped now, and what is not and why.
    #[must_use]
    pub const fn resolution(&self) -> &Resolution {
        &self.resolution
    }

    /// The job.
    #[must_use]
    pub const fn job(&self) -> &ScrapeJob {
        &self.job
    }

    /// What could not be found when it was last looked for.
    pub fn problems(&self) -> impl Iterator<Item = &Error> {
        self.places.iter().flat_map(|place| &place.problems)
    }
}

impl Place {
    /// Takes an answer and says whether the groups changed. A problem is logged when it is news.
    fn take(&mut self, answer: Result<super::Found>, now: Duration) -> bool {
        self.due_at = now.saturating_add(self.discovery.poll_interval());
        let (groups, problems) = match answer {
            Ok(found) => (Some(found.groups), found.problems),
            Err(error) => (None, vec![error]),
        };
        let known: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        for problem in problems.iter().filter(|problem| !known.contains(&problem.to_string())) {
            tracing::warn!(error = problem.full(), "targets cannot be found; the last ones stay");
        }
        self.problems = problems;
        let Some(groups) = groups.filter(|groups| *groups != self.groups) else { return false };
        self.groups = groups;
        true
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::{ErrorKind, SimulatedClock};
    use chrono::DateTime;

    use super::super::{Found, MockDiscovery};
    use super::*;

    fn answers(answers: Vec<Result<Vec<&'static str>, &'static str>>) -> Arc<dyn Discovery> {
        let mut mock = MockDiscovery::new();
        mock.expect_poll_interval().return_const(Duration::from_secs(30));
        let mut answers = answers.into_iter();
        mock.expect_find().returning(move || match answers.next().unwrap() {
            Ok(addresses) => Ok(Found::new(vec![TargetGroup::of_addresses("s", addresses)])),
            Err(what) => Err(Error::new(ErrorKind::Unavailable, "find", what)),
        });
        Arc::new(mock)
    }

    fn addresses(targets: &JobTargets) -> Vec<String> {
        targets.resolution().active.iter().map(super::super::super::targets::ResolvedTarget::url).collect()
    }

    #[tokio::test]
    async fn targets_come_and_go_and_stay_when_nobody_answers() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let place = answers(vec![Ok(vec!["a"]), Err("away"), Ok(vec!["a"]), Ok(vec!["b", "c"])]);
        let mut targets = JobTargets::of(ScrapeJob::new("j"), vec![place], clock.shared());
        assert!(targets.refresh().await);
        assert_eq!(addresses(&targets), ["http://a/metrics"]);
        // Nothing is asked before its time.
        assert!(!targets.refresh().await);
        assert_eq!(targets.due_at(), Some(Duration::from_secs(30)));
        clock.advance(Duration::from_secs(30));
        assert!(!targets.refresh().await);
        assert_eq!((addresses(&targets).len(), targets.problems().count()), (1, 1));
        clock.advance(Duration::from_secs(30));
        assert!(!targets.refresh().await);
        assert_eq!(targets.problems().count(), 0);
        clock.advance(Duration::from_secs(30));
        assert!(targets.refresh().await);
        assert_eq!(addresses(&targets), ["http://b/metrics", "http://c/metrics"]);
    }
}
