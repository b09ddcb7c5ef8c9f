//! Writes the pages of one target into a store.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use alfred_ops_core::exposition::{Entries, Entry, Format, LabelReader, Limits, SampleEntry};
use alfred_ops_core::{Labels, Result};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::job::ScrapeJob;
use crate::scraped::Labeller;
use crate::store::{Appended, Place, SampleStore};

/// A page's timestamp this far ahead is a fault of its clock: it would shut out all later samples.
const AHEAD_MILLIS_MAX: i64 = 10 * 60 * 1000;
/// How far ahead on the page of before a series is looked for: a few may have gone.
const LOOK_AHEAD: usize = 8;

/// Writes the pages of one target into a store, and remembers its series.
///
/// A series is known by the hash of its text on the page (XXH3, 128 bits, seeded): as long as a page says the same as before
/// its labels are not decoded again, and as long as it says so in the same order nothing is looked up.
#[derive(Debug)]
pub struct PageIntake {
    labeller: Labeller,
    limits: Limits,
    seed: u64,
    /// The series of the page before, in its order.
    known: Vec<Known>,
    interest_changes: u64,
    reader: LabelReader,
}

/// A series of the page.
#[derive(Debug, Clone)]
struct Known {
    hash: u128,
    /// As it is stored; `None` if the job's rules drop it or no rule looks at it.
    stored: Option<(Labels, Option<Place>)>,
    /// Whether the page says when its samples were true: then its end is not for us to see.
    timed: bool,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TakenPage {
    /// Samples on the page.
    pub scraped: usize,
    /// Samples that the job's rules left.
    pub kept: usize,
    /// Series that the page before did not have.
    pub added: usize,
    /// Samples that the store refused, and those of series that came twice.
    pub refused: usize,
}

/// A sample that has been read and not yet been written.
struct Read {
    known: Known,
    value: f64,
    timestamp: Option<i64>,
    is_new: bool,
}

impl PageIntake {
    /// The intake of a target with these labels, scraped as `job` says.
    #[must_use]
    pub fn new(job: &ScrapeJob, target: Labels, limits: Limits, seed: u64) -> Self {
        let labeller = Labeller::new(job, target);
        Self { labeller, limits, seed, known: Vec::new(), interest_changes: 0, reader: LabelReader::new() }
    }

    /// Reads a page and writes what it says as of `at`, milliseconds since 1970, with the ends of series that it has no
    /// more. Of a page that is wrong nothing is written.
    ///
    /// # Errors
    /// What is wrong with the page, or beyond the job's limits.
    pub fn take(
        &mut self,
        page: &str,
        format: Format,
        at: i64,
        store: &RwLock<SampleStore>,
    ) -> Result<TakenPage> {
        let changes = store.read().unwrap_or_else(PoisonError::into_inner).interest_changes();
        let before = std::mem::take(&mut self.known);
        let forget = changes != self.interest_changes;
        let read = self.read(page, format, if forget { &[] } else { &before });
        let (mut read, mut taken) = match read {
            Ok(read) => read,
            Err(error) => {
                self.known = before;
                return Err(error);
            }
        };
        self.interest_changes = changes;
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        // The places of the page before, for those series that it has no more.
        let ended = ended(&before, &read);
        for sample in &mut read {
            taken.added += usize::from(sample.is_new);
            let millis = match sample.timestamp {
                Some(millis) if millis > at.saturating_add(AHEAD_MILLIS_MAX) => {
                    taken.refused += 1;
                    continue;
                }
                Some(millis) => millis,
                None => at,
            };
            let refused = write(&mut store, &mut sample.known, millis, sample.value);
            taken.refused += usize::from(refused);
        }
        for place in ended {
            store.end(place, at);
        }
        drop(store);
        self.known = read.into_iter().map(|sample| sample.known).collect();
        Ok(taken)
    }

    /// Notes that the target does not answer: all its series end.
    pub fn fail(&mut self, at: i64, store: &RwLock<SampleStore>) {
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        for known in self.known.drain(..).filter(|known| !known.timed) {
            if let Some((_, Some(place))) = known.stored {
                store.end(place, at);
            }
        }
    }

    fn read(&mut self, page: &str, format: Format, before: &[Known]) -> Result<(Vec<Read>, TakenPage)> {
        let mut taken = TakenPage::default();
        let mut read: Vec<Read> = Vec::with_capacity(before.len());
        let mut expected = Expected { known: before, next: 0, index: None };
        let mut seen: Option<std::collections::HashSet<u128>> = None;
        for entry in Entries::new(page, format, &self.limits)? {
            let Entry::Sample(sample) = entry? else { continue };
            taken.scraped += 1;
            let hash = xxh3_128_with_seed(sample.series.text().as_bytes(), self.seed);
            let in_order = expected.in_order(hash);
            // As long as the order is the one of before no series can come twice.
            if !in_order || seen.is_some() {
                let seen = seen.get_or_insert_with(|| read.iter().map(|sample| sample.known.hash).collect());
                if !seen.insert(hash) {
                    taken.refused += 1;
                    continue;
                }
            }
            let found = expected.find(hash, in_order);
            let is_new = found.is_none();
            let known = match found {
                Some(known) => known.clone(),
                None => self.learn(&sample, hash)?,
            };
            taken.kept += usize::from(known.stored.is_some());
            let timestamp = sample.timestamp_ms.filter(|_| self.labeller.honors_timestamps());
            read.push(Read { known, value: sample.value, timestamp, is_new });
        }
        self.labeller.check_count(taken.kept)?;
        Ok((read, taken))
    }

    fn learn(&mut self, sample: &SampleEntry<'_>, hash: u128) -> Result<Known> {
        let labels = self.labeller.stored(&self.reader.read(&sample.series)?)?;
        let timed = sample.timestamp_ms.is_some() && self.labeller.honors_timestamps();
        Ok(Known { hash, stored: labels.map(|labels| (labels, None)), timed })
    }
}

/// Writes a sample; whether the store refused it.
fn write(store: &mut SampleStore, known: &mut Known, millis: i64, value: f64) -> bool {
    let Some((labels, place)) = &mut known.stored else { return false };
    if let Some(appended) = place.and_then(|place| store.push_float(place, millis, value)) {
        return appended == Appended::OutOfOrder;
    }
    match store.find_or_make(labels) {
        Ok(found) => {
            *place = Some(found);
            store.push_float(found, millis, value) == Some(Appended::OutOfOrder)
        }
        Err(Appended::Ignored) => false,
        Err(_) => true,
    }
}

/// The places of series that were on the page before and are not on this one.
fn ended(before: &[Known], read: &[Read]) -> Vec<Place> {
    let same_order = before.len() <= read.len()
        && before.iter().zip(read).all(|(known, sample)| known.hash == sample.known.hash);
    if same_order {
        return Vec::new();
    }
    let present: std::collections::HashSet<u128> = read.iter().map(|sample| sample.known.hash).collect();
    let gone = before.iter().filter(|known| !known.timed && !present.contains(&known.hash));
    gone.filter_map(|known| known.stored.as_ref().and_then(|(_, place)| *place)).collect()
}

/// The series of the page before, in the order in which they are expected again.
struct Expected<'k> {
    known: &'k [Known],
    next: usize,
    index: Option<HashMap<u128, usize>>,
}

impl<'k> Expected<'k> {
    /// Whether a series is the one expected next.
    fn in_order(&self, hash: u128) -> bool {
        self.known.get(self.next).is_some_and(|known| known.hash == hash)
    }

    fn find(&mut self, hash: u128, in_order: bool) -> Option<&'k Known> {
        if in_order {
            self.next += 1;
            return self.known.get(self.next - 1);
        }
        let ahead = self.known.iter().skip(self.next).take(LOOK_AHEAD).position(|known| known.hash == hash);
        if let Some(ahead) = ahead {
            self.next += ahead + 1;
            return self.known.get(self.next - 1);
        }
        let known = self.known;
        let index = self.index.get_or_insert_with(|| {
            known.iter().enumerate().map(|(place, known)| (known.hash, place)).collect()
        });
        index.get(&hash).and_then(|place| self.known.get(*place))
    }
}
