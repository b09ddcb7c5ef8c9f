//! Writes what a target said into the store.

use std::collections::HashMap;
use std::time::Duration;

use alfred_ops_core::{Error, Labels, Result, Sample};
use chrono::{DateTime, TimeDelta, Utc};

use super::{TargetHealth, TargetStatus};
use crate::store::{Appended, Place, SampleStore};

/// A page's timestamp this far ahead is a fault of its clock: it would shut out all later samples.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(10);

/// What came of asking a target.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) outcome: Result<Vec<Sample>>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) duration: Duration,
}

/// What came of writing a scrape.
#[derive(Debug, Default)]
pub(crate) struct TakenScrape {
    /// The error of a scrape that failed, when it is news.
    pub(crate) news: Option<Error>,
    /// The series that say something else than before, if changes are noted.
    pub(crate) changed: Vec<Labels>,
}

/// Writes what one target says into the store, and remembers its series to notice those that end.
#[derive(Debug)]
pub(crate) struct Intake {
    labels: Labels,
    status: TargetStatus,
    /// The series of the page, as the page and as the store names them, and when they were last seen.
    series: HashMap<Labels, Known>,
    scrapes: u64,
    notes_changes: bool,
}

#[derive(Debug)]
struct Known {
    stored: Labels,
    place: Remembered,
    seen: u64,
}

/// Where a series is kept, so that its labels are looked at once and not at every scrape.
#[derive(Debug, Clone, Copy)]
enum Remembered {
    Unknown,
    At(Place),
    /// Nowhere: as of so many changes of the store's interest no rule looked at it.
    Ignored(u64),
}

impl Known {
    /// Adds a sample to the series.
    fn append(&mut self, store: &mut SampleStore, millis: i64, value: f64) -> Appended {
        match self.place {
            Remembered::Ignored(changes) if changes == store.interest_changes() => return Appended::Ignored,
            Remembered::At(place) => {
                if let Some(appended) = store.push_float(place, millis, value) {
                    return appended;
                }
            }
            _ => {}
        }
        match store.find_or_make(&self.stored) {
            Ok(place) => {
                self.place = Remembered::At(place);
                store.push_float(place, millis, value).unwrap_or(Appended::Ignored)
            }
            Err(refused) => {
                self.place = match refused {
                    Appended::Ignored => Remembered::Ignored(store.interest_changes()),
                    _ => Remembered::Unknown,
                };
                refused
            }
        }
    }
}

impl Intake {
    /// The intake of the target with these labels.
    pub(crate) fn new(labels: Labels, address: String) -> Self {
        let text = |name| labels.get(name).unwrap_or_default().to_owned();
        let status =
            TargetStatus { job: text("job"), instance: text("instance"), address, ..TargetStatus::default() };
        Self { labels, status, series: HashMap::new(), scrapes: 0, notes_changes: false }
    }

    /// Sets whether series that change are noted.
    pub(crate) const fn noting_changes(mut self, notes_changes: bool) -> Self {
        self.notes_changes = notes_changes;
        self
    }

    pub(crate) const fn status(&self) -> &TargetStatus {
        &self.status
    }

    /// Writes one scrape: its samples, the ends of series that it has no more (all of them if it failed), and
    /// `up` and its like.
    pub(crate) fn take(&mut self, scrape: Scrape, store: &mut SampleStore) -> TakenScrape {
        let Scrape { outcome, started_at, duration } = scrape;
        self.scrapes += 1;
        self.status.last_scrape = Some(started_at);
        self.status.last_duration = duration;
        let was_up = self.status.health != TargetHealth::Down;
        let (samples, error) = match outcome {
            Ok(samples) => (samples, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        // What changes is seen before the samples become the past.
        let changed = match self.notes_changes {
            true => self.take_changes(&samples, started_at, store),
            false => Vec::new(),
        };
        self.status.samples = samples.len();
        self.status.refused = samples.iter().filter(|sample| !self.write(sample, started_at, store)).count();
        self.end_unseen(started_at, store);
        self.status.health = if error.is_none() { TargetHealth::Up } else { TargetHealth::Down };
        self.status.last_error = error.as_ref().map(Error::full);
        self.status.failures_in_a_row = error.as_ref().map_or(0, |_| self.status.failures_in_a_row + 1);
        self.write_own(started_at, store);
        TakenScrape { news: error.filter(|_| was_up), changed }
    }

    /// Writes what was read at `now`, between two scrapes; the labels of the series that say something else than before.
    /// What has vanished or failed is for the next scrape to notice.
    pub(crate) fn take_changes(
        &mut self,
        samples: &[Sample],
        now: DateTime<Utc>,
        store: &mut SampleStore,
    ) -> Vec<Labels> {
        let mut changed = Vec::new();
        for sample in samples.iter().filter(|sample| sample.timestamp.is_none()) {
            let known = self.known(&sample.labels);
            if matches!(known.place, Remembered::Ignored(changes) if changes == store.interest_changes()) {
                continue;
            }
            if store.set_provisional(&known.stored, now.timestamp_millis(), sample.value) {
                changed.push(known.stored.clone());
            }
        }
        changed
    }

    fn known(&mut self, page: &Labels) -> &mut Known {
        let (target, seen) = (&self.labels, self.scrapes);
        let new = || Known { stored: stored_labels(target, page), place: Remembered::Unknown, seen };
        self.series.entry(page.clone()).or_insert_with(new)
    }

    fn write(&mut self, sample: &Sample, started_at: DateTime<Utc>, store: &mut SampleStore) -> bool {
        let scrapes = self.scrapes;
        let appended = match sample.timestamp {
            // The page itself says how old the sample is, so its end is not for us to see.
            Some(at) if at > started_at + AHEAD_MAX => return false,
            Some(at) => store.append(&stored_labels(&self.labels, &sample.labels), at, sample.value),
            None => {
                let known = self.known(&sample.labels);
                known.seen = scrapes;
                known.append(store, started_at.timestamp_millis(), sample.value)
            }
        };
        matches!(appended, Appended::Stored | Appended::Ignored)
    }

    fn end_unseen(&mut self, at: DateTime<Utc>, store: &mut SampleStore) {
        let scrapes = self.scrapes;
        self.series.retain(|_, known| {
            let seen = known.seen == scrapes;
            if !seen {
                store.mark_stale(&known.stored, at);
            }
            seen
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "a page has far fewer than 2^53 samples")]
    fn write_own(&self, at: DateTime<Utc>, store: &mut SampleStore) {
        let up = if self.status.health == TargetHealth::Up { 1.0 } else { 0.0 };
        for (name, value) in [
            ("up", up),
            ("scrape_duration_seconds", self.status.last_duration.as_secs_f64()),
            ("scrape_samples_scraped", self.status.samples as f64),
        ] {
            store.append(&self.labels.with(Labels::NAME, name), at, value);
        }
    }
}

/// The labels of the page and the target; where both have one, the target's counts and the page's is kept
/// as `exported_…`.
fn stored_labels(target: &Labels, page: &Labels) -> Labels {
    let renamed = page.iter().map(|(name, value)| match target.get(name) {
        Some(_) => (format!("exported_{name}"), value),
        None => (name.to_owned(), value),
    });
    Labels::from_pairs(renamed.chain(target.iter().map(|(name, value)| (name.to_owned(), value))))
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::ErrorKind;
    use alfred_ops_core::exposition::{Limits, parse};

    use super::*;
    use crate::promql::{Query, QueryOptions, Value};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn scrape(page: &str, seconds: i64) -> Scrape {
        let outcome = parse(page, &Limits::default()).map(|page| page.samples);
        Scrape { outcome, started_at: at(seconds), duration: Duration::from_millis(20) }
    }

    fn present(store: &SampleStore, name: &str, seconds: i64) -> Vec<String> {
        let query: Query = name.parse().unwrap();
        match query.instant(store, seconds * 1000, &QueryOptions::default()).unwrap().value {
            Value::Vector(samples) => {
                samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn intake() -> Intake {
        let labels = Labels::from_pairs([("job", "agents"), ("instance", "a:1")]);
        Intake::new(labels, "http://a:1/metrics".to_owned())
    }

    #[test]
    fn samples_get_the_labels_of_their_target_and_keep_their_own() {
        let (mut intake, mut store) = (intake(), SampleStore::default());
        assert!(intake.take(scrape("m{job=\"mine\",x=\"1\"} 7\n", 0), &mut store).news.is_none());
        assert_eq!(
            present(&store, "m", 0),
            ["m{exported_job=\"mine\",instance=\"a:1\",job=\"agents\",x=\"1\"} 7"]
        );
        assert_eq!(present(&store, "up", 0), ["up{instance=\"a:1\",job=\"agents\"} 1"]);
        assert_eq!(
            present(&store, "scrape_samples_scraped", 0),
            ["scrape_samples_scraped{instance=\"a:1\",job=\"agents\"} 1"]
        );
        assert_eq!(
            present(&store, "scrape_duration_seconds", 0),
            ["scrape_duration_seconds{instance=\"a:1\",job=\"agents\"} 0.02"]
        );
    }

    #[test]
    fn what_a_page_has_no_more_ends_at_once() {
        let (mut intake, mut store) = (intake(), SampleStore::default());
        intake.take(scrape("m 1\nn 1\n", 0), &mut store);
        intake.take(scrape("n 2\n", 15), &mut store);
        assert_eq!((present(&store, "m", 14).len(), present(&store, "m", 15).len()), (1, 0));
        assert_eq!(present(&store, "n", 15).len(), 1);
        intake.take(scrape("m 1\n", 30), &mut store);
        assert_eq!(present(&store, "m", 30).len(), 1);
    }

    #[test]
    fn a_failed_scrape_ends_all_series_and_is_news_once() {
        let (mut intake, mut store) = (intake(), SampleStore::default());
        intake.take(scrape("m 1\n", 0), &mut store);
        let error = intake.take(scrape("m 1\nn {\n", 15), &mut store).news.unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(intake.take(scrape("n {\n", 30), &mut store).news.is_none());
        assert_eq!(present(&store, "m", 30), [""; 0]);
        assert_eq!(present(&store, "up", 30), ["up{instance=\"a:1\",job=\"agents\"} 0"]);
        let status = intake.status();
        assert_eq!((status.health, status.failures_in_a_row), (TargetHealth::Down, 2));
        assert!(status.last_error.as_ref().unwrap().contains("line 1: expected a label name or `}`"));
        intake.take(scrape("m 1\n", 45), &mut store);
        assert_eq!((intake.status().health, intake.status().last_error.as_ref()), (TargetHealth::Up, None));
    }

    #[test]
    fn a_pages_own_times_are_kept_unless_far_ahead() {
        let (mut intake, mut store) = (intake(), SampleStore::default());
        intake.take(scrape("m 1 1000\nahead 1 9999999999\n", 60), &mut store);
        assert_eq!((present(&store, "m", 1).len(), present(&store, "m", 0).len()), (1, 0));
        assert_eq!(intake.status().refused, 1);
    }
}
