//! Writes a store down.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::writer::Writer;
use super::{MAGIC, VERSION, series_form};
use crate::store::{SampleStore, Series};

/// Bytes for which there is room from the start, for each series: less copying while others wait.
const SERIES_BYTES_TYPICAL: usize = 64;

impl SampleStore {
    /// All series as bytes, taken at `created_at`: labels, times, values to the bit, ends and native histograms. What
    /// [`restore`](Self::restore) makes a store of again.
    ///
    /// Takes one pass and about as much memory as the samples themselves. The form is our own, has a version and ends with
    /// a checksum.
    #[must_use]
    pub fn snapshot(&self, created_at: DateTime<Utc>) -> Vec<u8> {
        let all = self.slots.iter().flatten();
        let series: Vec<&Series> = all.filter(|series| series_form::is_sound(series)).collect();
        let mut writer = Writer::with_capacity(series.len() * SERIES_BYTES_TYPICAL);
        writer.bytes(&MAGIC);
        writer.bytes(&VERSION.to_le_bytes());
        writer.bytes(&created_at.timestamp_millis().to_le_bytes());
        let mut texts = Texts::default();
        for text in series.iter().flat_map(|series| series.labels().iter()).flat_map(<[&str; 2]>::from) {
            texts.add(text);
        }
        writer.count(texts.in_order.len());
        for text in &texts.in_order {
            writer.text(text);
        }
        writer.count(series.len());
        for series in series {
            writer.count(series.labels().len());
            for text in series.labels().iter().flat_map(<[&str; 2]>::from) {
                writer.count(texts.numbers.get(text).copied().unwrap_or(0));
            }
            series_form::write(series, &mut writer);
        }
        writer.finish()
    }
}

/// Names and values of labels, each once.
#[derive(Debug, Default)]
struct Texts<'s> {
    numbers: HashMap<&'s str, usize>,
    in_order: Vec<&'s str>,
}

impl<'s> Texts<'s> {
    fn add(&mut self, text: &'s str) {
        let next = self.in_order.len();
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.in_order.push(text);
        }
    }
}
