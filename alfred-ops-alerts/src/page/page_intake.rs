//! Writes the pages of one target into a store.

use std::collections::{HashMap, HashSet};
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
    stored: Stored,
    /// Whether the page says when its samples were true: then its end is not for us to see.
    timed: bool,
}

/// Whether and where a series is stored.
#[derive(Debug, Clone)]
enum Stored {
    /// The job's rules drop it.
    Dropped,
    /// No rule looks at it, as of the store's interest at the time.
    Ignored,
    Unplaced(Labels),
    Placed(Labels, Place),
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
    /// The place of its series among those of the page before, or behind them among the new ones.
    from: usize,
    value: f64,
    millis: i64,
}

/// A page that has been read and not yet been written: small beside the page, for pages come by the dozen.
struct ReadPage {
    samples: Vec<Read>,
    /// The series that the page before did not have.
    new: Vec<Known>,
    taken: TakenPage,
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
        let remembered = if forget { &[] } else { before.as_slice() };
        let ReadPage { samples, new, mut taken } = match self.read(page, format, at, remembered) {
            Ok(read) => read,
            Err(error) => {
                self.known = before;
                return Err(error);
            }
        };
        self.interest_changes = changes;
        let as_before = samples.len() == before.len()
            && samples.iter().enumerate().all(|(place, sample)| sample.from == place);
        let (mut known, ended) = if as_before && !forget {
            (before, Vec::new())
        } else {
            let known = in_order(&samples, remembered, &new);
            let ended = ended(&before, &known);
            (known, ended)
        };
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        for (sample, known) in samples.iter().zip(&mut known) {
            let ahead = sample.millis > at.saturating_add(AHEAD_MILLIS_MAX);
            let refused = ahead || write(&mut store, known, sample.millis, sample.value);
            taken.refused += usize::from(refused);
        }
        for place in ended {
            store.end(place, at);
        }
        drop(store);
        self.known = known;
        Ok(taken)
    }

    /// Notes that the target does not answer: all its series end.
    pub fn fail(&mut self, at: i64, store: &RwLock<SampleStore>) {
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        for known in self.known.drain(..).filter(|known| !known.timed) {
            if let Stored::Placed(_, place) = known.stored {
                store.end(place, at);
            }
        }
    }

    fn read(&mut self, page: &str, format: Format, at: i64, before: &[Known]) -> Result<ReadPage> {
        let mut taken = TakenPage::default();
        let (mut samples, mut new) = (Vec::with_capacity(before.len()), Vec::new());
        let mut expected = Expected { known: before, next: 0, index: None };
        let mut seen: Option<HashSet<u128>> = None;
        for entry in Entries::new(page, format, &self.limits)? {
            let Entry::Sample(sample) = entry? else { continue };
            taken.scraped += 1;
            let hash = xxh3_128_with_seed(sample.series.text().as_bytes(), self.seed);
            let in_order = expected.in_order(hash);
            // As long as the order is the one of before no series can come twice.
            if !in_order || seen.is_some() {
                let known = |read: &Read| known_at(before, &new, read.from).map(|known| known.hash);
                let seen = seen.get_or_insert_with(|| samples.iter().filter_map(known).collect());
                if !seen.insert(hash) {
                    taken.refused += 1;
                    continue;
                }
            }
            let from = match expected.find(hash, in_order) {
                Some(place) => place,
                None => {
                    new.push(self.learn(&sample, hash)?);
                    before.len() + new.len() - 1
                }
            };
            let is_dropped = |known: &Known| matches!(known.stored, Stored::Dropped);
            taken.kept += usize::from(!known_at(before, &new, from).is_none_or(is_dropped));
            let millis = sample.timestamp_ms.filter(|_| self.labeller.honors_timestamps()).unwrap_or(at);
            samples.push(Read { from, value: sample.value, millis });
        }
        taken.added = new.len();
        self.labeller.check_count(taken.kept)?;
        Ok(ReadPage { samples, new, taken })
    }

    fn learn(&mut self, sample: &SampleEntry<'_>, hash: u128) -> Result<Known> {
        let labels = self.labeller.stored(&self.reader.read(&sample.series)?)?;
        let timed = sample.timestamp_ms.is_some() && self.labeller.honors_timestamps();
        Ok(Known { hash, stored: labels.map_or(Stored::Dropped, Stored::Unplaced), timed })
    }
}

/// Writes a sample; whether the store refused it.
fn write(store: &mut SampleStore, known: &mut Known, millis: i64, value: f64) -> bool {
    let labels = match &known.stored {
        Stored::Dropped | Stored::Ignored => return false,
        Stored::Unplaced(labels) => labels.clone(),
        Stored::Placed(labels, place) => match store.push_float(*place, millis, value) {
            Some(appended) => return appended == Appended::OutOfOrder,
            // It was given up meanwhile.
            None => labels.clone(),
        },
    };
    match store.find_or_make(&labels) {
        Ok(place) => {
            known.stored = Stored::Placed(labels, place);
            store.push_float(place, millis, value) == Some(Appended::OutOfOrder)
        }
        Err(Appended::Ignored) => {
            known.stored = Stored::Ignored;
            false
        }
        Err(_) => true,
    }
}

/// A series of the page before, or behind them a new one.
fn known_at<'k>(before: &'k [Known], new: &'k [Known], place: usize) -> Option<&'k Known> {
    before.get(place).or_else(|| new.get(place - before.len()))
}

/// The series of a page in its order.
fn in_order(samples: &[Read], before: &[Known], new: &[Known]) -> Vec<Known> {
    samples.iter().filter_map(|sample| known_at(before, new, sample.from).cloned()).collect()
}

/// The places of series that were on the page before and are not on this one.
fn ended(before: &[Known], now: &[Known]) -> Vec<Place> {
    let present: HashSet<u128> = now.iter().map(|known| known.hash).collect();
    let gone = before.iter().filter(|known| !known.timed && !present.contains(&known.hash));
    let place = |known: &Known| match known.stored {
        Stored::Placed(_, place) => Some(place),
        _ => None,
    };
    gone.filter_map(place).collect()
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

    /// The place of a series.
    fn find(&mut self, hash: u128, in_order: bool) -> Option<usize> {
        let ahead = if in_order {
            Some(0)
        } else {
            self.known.iter().skip(self.next).take(LOOK_AHEAD).position(|known| known.hash == hash)
        };
        if let Some(ahead) = ahead {
            self.next += ahead + 1;
            return Some(self.next - 1);
        }
        let known = self.known;
        let index = self.index.get_or_insert_with(|| {
            known.iter().enumerate().map(|(place, known)| (known.hash, place)).collect()
        });
        index.get(&hash).copied()
    }
}
