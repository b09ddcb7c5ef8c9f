//! Makes series of a snapshot again.

use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, TimeDelta, Utc};

use super::reader::{Reader, corrupt};
use super::series_form::{self, LABELS_BYTES_MAX};
use super::{CHECKSUM_BYTES, MAGIC, VERSION};
use crate::store::sample_store::{footprint, index};
use crate::store::{RestoredSamples, SampleStore, Series};

/// A series whose last sample is this far ahead would be shut off until then: the clock has gone back, and what is
/// scraped now counts.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(10);

impl SampleStore {
    /// Takes over what a [`snapshot`](Self::snapshot) holds, as of `now`.
    ///
    /// Only series of [interest](Self::interest) are, without samples that no rule looks back to, and as long as there is
    /// room. A series that the store has already keeps what it has; what the snapshot knows of the time before is put in
    /// front, and where both know of the same time the store's is kept alone. What was left out is counted. The snapshot
    /// says nothing of what ended after it was taken: such a series is present until lookback passes, as in a Prometheus
    /// that was killed.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) for anything but a whole snapshot, [`Unsupported`](ErrorKind::Unsupported) for one
    /// of a newer version. The store is then what it was.
    pub fn restore(&mut self, snapshot: &[u8], now: DateTime<Utc>) -> Result<RestoredSamples> {
        let mut reader = Reader::new(checked(snapshot)?);
        let created_at = DateTime::from_timestamp_millis(i64::from_le_bytes(reader.array()?))
            .ok_or_else(|| corrupt("its time is no date"))?;
        let mut restored = RestoredSamples { created_at, ..RestoredSamples::default() };
        let texts = (0..reader.count(1)?).map(|_| reader.text()).collect::<Result<Vec<&str>>>()?;
        let mut taken = Vec::new();
        let mut room = Room {
            series: self.limits.series_max.saturating_sub(self.by_labels.len()),
            bytes: self.limits.bytes_max.saturating_sub(self.counters.bytes),
        };
        for _ in 0..reader.count(1)? {
            let labels = read_labels(&texts, &mut reader)?;
            let keep = self.interest.keep_millis(&labels);
            let mut series = series_form::read(labels, keep.unwrap_or(0), &mut reader)?;
            if keep.is_none() {
                restored.ignored += 1;
                continue;
            }
            series.expire(now.timestamp_millis());
            if series.len() == 0 {
                restored.expired += 1;
            } else if series.last_time() > Some((now + AHEAD_MAX).timestamp_millis()) {
                restored.ahead += 1;
            } else if self.by_labels.contains_key(series.labels()) || room.take(&series) {
                taken.push(series);
            } else {
                restored.refused += 1;
            }
        }
        if !reader.is_empty() {
            return Err(corrupt("something follows its last series"));
        }
        for series in taken {
            self.take_over(series, &mut restored);
        }
        Ok(restored)
    }

    fn take_over(&mut self, mut series: Series, restored: &mut RestoredSamples) {
        let samples = series.len();
        if let Some(slot) = self.by_labels.get(series.labels()).copied() {
            let Some(Some(present)) = self.slots.get_mut(index(slot)) else { return };
            if !series.go_on_with(present) {
                restored.overlapping += 1;
                return;
            }
            self.counters.samples += samples;
            self.counters.bytes = (self.counters.bytes + series.bytes()).saturating_sub(present.bytes());
            *present = series;
        } else if let Some(slot) = self.free_slot() {
            self.insert(slot, series);
        } else {
            restored.refused += 1;
            return;
        }
        restored.series += 1;
        restored.samples += samples;
    }
}

/// What lies between the version and the checksum of a whole snapshot.
fn checked(snapshot: &[u8]) -> Result<&[u8]> {
    let Some(behind_magic) = snapshot.strip_prefix(&MAGIC) else {
        return Err(corrupt("it does not begin as one"));
    };
    let (content, checksum) = snapshot
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(|| corrupt("it is shorter than its checksum"))?;
    if xxhash_rust::xxh3::xxh3_64(content) != u64::from_le_bytes(*checksum) {
        return Err(corrupt("its checksum is another: it was cut off or changed"));
    }
    let mut reader = Reader::new(behind_magic);
    let version = u32::from_le_bytes(reader.array()?);
    if version != VERSION {
        let message = format!("the snapshot has version {version}, known is {VERSION}");
        return Err(Error::new(ErrorKind::Unsupported, "restore samples", message)
            .with_remedy("run the software that wrote it, or remove it"));
    }
    let content = reader.bytes(reader.left().saturating_sub(CHECKSUM_BYTES))?;
    Ok(content)
}

fn read_labels(texts: &[&str], reader: &mut Reader<'_>) -> Result<Labels> {
    let count = reader.count(2)?;
    let mut text = || {
        let number = reader.size()?;
        texts.get(number).copied().ok_or_else(|| corrupt("a label is none of its texts"))
    };
    let pairs = (0..count).map(|_| Ok((text()?, text()?))).collect::<Result<Vec<(&str, &str)>>>()?;
    if pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > LABELS_BYTES_MAX {
        return Err(corrupt("a series has endless labels"));
    }
    let ascending = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
    if !ascending || pairs.iter().any(|(_, value)| value.is_empty()) {
        return Err(corrupt("labels are not in order"));
    }
    Ok(Labels::from_pairs(pairs))
}

/// How much may still be taken over.
#[derive(Debug)]
struct Room {
    series: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, series: &Series) -> bool {
        let left = self.series.checked_sub(1).zip(self.bytes.checked_sub(footprint(series)));
        if let Some((series, bytes)) = left {
            (self.series, self.bytes) = (series, bytes);
        }
        left.is_some()
    }
}
