//! Histograms by chance, classic and native.

use std::sync::Arc;

use alfred_ops_alerts::promql::SampleValue;
use alfred_ops_core::Labels;
use alfred_ops_core::histogram::{Histogram, ResetHint};

use crate::chance::Chance;
use crate::dataset::{INSTANCES, JOBS, Maker, Samples};
use crate::era::Era;

impl Maker<'_> {
    pub(crate) fn classic_histograms(&mut self) {
        const BOUNDS: [&str; 6] = ["0.1", "0.25", "0.5", "1", "5", "+Inf"];
        for job in JOBS {
            for instance in INSTANCES {
                let times = self.times();
                let least = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|factor| factor * self.era.least());
                let mut totals = least;
                let mut sum = self.era.least();
                let mut columns: Vec<Samples> = vec![Samples::new(); 8];
                for at in times {
                    if self.era == Era::Three && self.chance.percent(1) {
                        (totals, sum) = (least, self.era.least());
                    }
                    for _ in 0..self.chance.below(6) {
                        let place = self.chance.below(6) as usize;
                        for total in &mut totals[place..] {
                            *total += 1.0;
                        }
                        sum += f64::from(self.chance.below(640)) / 64.0;
                    }
                    for (column, value) in columns.iter_mut().zip(totals.iter().chain([&totals[5], &sum])) {
                        column.push((at, Some((*value).into())));
                    }
                }
                let labels = Labels::from_pairs([("job", job), ("instance", instance)]);
                for (column, samples) in columns.into_iter().enumerate() {
                    let own = match BOUNDS.get(column) {
                        Some(bound) => labels.with("__name__", "latency_bucket").with("le", bound),
                        None if column == 6 => labels.with("__name__", "latency_count"),
                        None => labels.with("__name__", "latency_sum"),
                    };
                    self.series.push((own, samples));
                }
            }
        }
    }

    /// Buckets that do not grow, bounds that are no numbers, bounds missing or written in two ways.
    pub(crate) fn odd_buckets(&mut self) {
        const ODD: [(&str, &[&str]); 6] = [
            ("unordered", &["1", "2", "+Inf"]),
            ("endless", &["1", "2"]),
            ("words", &["1", "few", "+Inf"]),
            ("twice", &["1", "1.0", "2", "+Inf"]),
            ("only", &["+Inf"]),
            ("negative", &["-5", "-1", "0", "1", "Inf"]),
        ];
        for (case, bounds) in ODD {
            for bound in bounds {
                let labels = [("__name__", "odd_bucket"), ("case", case), ("le", bound)];
                let mut total = self.era.least();
                self.add(Labels::from_pairs(labels), |chance, _| {
                    total += f64::from(chance.below(20));
                    total.into()
                });
            }
        }
    }

    pub(crate) fn native_histograms(&mut self) {
        for job in JOBS {
            for (name, gauge) in [("native", false), ("native_gauge", true)] {
                let schema = self.chance.any(&[0, 1, 3, -1]);
                let threshold = self.chance.any(&[0.001, 0.25]);
                let mut state = started(schema, threshold, 1000.0);
                let labels = Labels::from_pairs([("__name__", name), ("job", job)]);
                self.add(labels, |chance, _| {
                    if gauge || chance.percent(2) {
                        state = started(schema, threshold, 400.0);
                    }
                    observe(&mut state, chance, gauge)
                });
            }
            // All the same: 3.5 cannot add histograms of other bounds, later versions and we can.
            let mut state = Histogram::custom([0.5, 1.0, 4.0]);
            (state.positive, state.count) = (vec![(0, 1000.0)], 1000.0);
            let labels = Labels::from_pairs([("__name__", "native_custom"), ("job", job)]);
            self.add(labels, |chance, _| observe_custom(&mut state, chance));
        }
        let mut state = started(1, 0.0, 1000.0);
        self.add(Labels::from_pairs([("__name__", "mixed"), ("job", "api")]), |chance, index| {
            if (index / 12) % 2 == 0 {
                f64::from(chance.below(9)).into()
            } else {
                observe(&mut state, chance, false)
            }
        });
        self.add(Labels::from_pairs([("__name__", "mixed"), ("job", "db")]), |chance, _| {
            f64::from(chance.below(9)).into()
        });
    }
}

/// A histogram that has counted: of one that starts at nothing, later versions than 3.5 and we tell when that was, and
/// extrapolate rates no further. And it has counted on both sides of zero: whether a side without counts is known as
/// empty depends on how the server has stored the samples before.
fn started(schema: i32, zero_threshold: f64, count: f64) -> Histogram {
    let (positive, negative) = (vec![(1, 1.0)], vec![(1, 1.0)]);
    let zero_count = count - 2.0;
    Histogram { zero_threshold, zero_count, count, positive, negative, ..Histogram::exponential(schema) }
}

fn bump(buckets: &mut Vec<(i32, f64)>, index: i32) {
    match buckets.binary_search_by_key(&index, |(index, _)| *index) {
        Ok(place) => buckets[place].1 += 1.0,
        Err(place) => buckets.insert(place, (index, 1.0)),
    }
}

fn observe(state: &mut Histogram, chance: &Chance, gauge: bool) -> SampleValue {
    for _ in 0..chance.below(8) {
        let index = i32::try_from(chance.below(9)).unwrap() - 2;
        match chance.below(6) {
            0 => state.zero_count += 1.0,
            1 => bump(&mut state.negative, index.max(0)),
            _ => bump(&mut state.positive, index.max(0)),
        }
        state.count += 1.0;
        state.sum += f64::from(chance.below(640)) / 64.0;
    }
    let hint = if gauge { ResetHint::Gauge } else { ResetHint::Unknown };
    SampleValue::Histogram(Arc::new(Histogram { reset_hint: hint, ..state.clone() }))
}

fn observe_custom(state: &mut Histogram, chance: &Chance) -> SampleValue {
    for _ in 0..chance.below(8) {
        bump(&mut state.positive, i32::try_from(chance.below(4)).unwrap());
        state.count += 1.0;
        state.sum += f64::from(chance.below(320)) / 64.0;
    }
    state.clone().into()
}
