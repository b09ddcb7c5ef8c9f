//! How long each lease has been seen to stand still.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Of each lease, the newest state seen and when it was first seen, on a monotonic clock. It holds one entry
/// for each name that was ever asked for.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<BTreeMap<String, (u64, Duration)>>);

impl Sightings {
    /// Notes that `name` stands at `serial` and returns for how long it has.
    pub(super) fn note(&self, name: &str, serial: u64, now: Duration) -> Duration {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(name) {
            Some((known, since)) if *known == serial => now.saturating_sub(*since),
            _ => {
                seen.insert(name.to_owned(), (serial, now));
                Duration::ZERO
            }
        }
    }
}
