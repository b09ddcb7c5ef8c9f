//! Series by chance.

use std::sync::Arc;

use alfred_ops_alerts::promql::{RecordedSeries, SampleValue};
use alfred_ops_core::Labels;
use alfred_ops_core::histogram::{Histogram, ResetHint};

use crate::chance::Chance;
use crate::era::Era;

/// The whole hour at which the series start, in milliseconds.
pub(crate) const START: i64 = 1_699_999_200_000;
/// Samples lie this far apart.
pub(crate) const INTERVAL: i64 = 30_000;
/// So many intervals are covered: 80 minutes, less than the half block within which a server takes samples.
const INTERVALS: i64 = 160;

/// One series' samples; `None` marks an end.
pub(crate) type Samples = Vec<(i64, Option<SampleValue>)>;

/// Series by chance.
#[derive(Debug, Default)]
pub(crate) struct Dataset {
    pub(crate) series: Vec<(Labels, Samples)>,
}

struct Maker<'a> {
    chance: &'a Chance,
    era: Era,
    series: Vec<(Labels, Samples)>,
}

impl Dataset {
    pub(crate) fn new(chance: &Chance, era: Era) -> Self {
        let mut maker = Maker { chance, era, series: Vec::new() };
        maker.counters();
        maker.gauges();
        maker.oddities();
        maker.facts();
        maker.classic_histograms();
        maker.odd_buckets();
        if era == Era::Three {
            maker.native_histograms();
        }
        // In the order in which a server gets to know them: numbers are added in that order.
        maker.series.retain(|(_, samples)| !samples.is_empty());
        maker.series.sort_by_key(|(_, samples)| (samples[0].0 - START) / INTERVAL);
        Self { series: maker.series }
    }

    pub(crate) fn recorded(&self) -> RecordedSeries {
        let mut recorded = RecordedSeries::new();
        for (labels, samples) in &self.series {
            for (at, value) in samples {
                assert!(recorded.push(labels, *at, value.clone()), "{labels} at {at}");
            }
        }
        recorded
    }
}

pub(crate) const JOBS: [&str; 3] = ["api", "db", "web"];
pub(crate) const INSTANCES: [&str; 2] = ["h0:80", "h1:80"];

impl Maker<'_> {
    /// The times of a series. In the older era none is ever on a limit of a range: those were closed to the left.
    fn times(&self) -> Vec<i64> {
        let phase = match self.era {
            Era::Two => self.chance.any(&[137, 7_211, 14_003, 21_499]),
            Era::Three => self.chance.any(&[0, 0, 0, 5_000, 7_211, 14_003]),
        };
        (0..INTERVALS).map(|index| START + index * INTERVAL + phase).collect()
    }

    /// Adds a series: `value` tells each sample. Some have gaps, ends, and only a part of the time.
    fn add(&mut self, labels: Labels, mut value: impl FnMut(&Chance, i64) -> SampleValue) {
        let times = self.times();
        let (first, last) = match self.chance.below(6) {
            0 => (self.chance.below(60), 60 + self.chance.below(100)),
            _ => (0, u32::MAX),
        };
        let (gaps, ends) = (self.chance.percent(40), self.chance.percent(30));
        let mut absent = 0;
        let mut samples: Samples = Vec::new();
        for (index, at) in (0..).zip(times) {
            let value = value(self.chance, i64::from(index));
            if absent > 0 {
                absent -= 1;
                continue;
            }
            if index < first || index > last {
                continue;
            }
            if gaps && self.chance.percent(3) {
                absent = self.chance.below(14);
                // An end is marked for floats only: for histograms the server writes it otherwise.
                if ends && value.float().is_some() && !samples.is_empty() {
                    samples.push((at, None));
                }
                continue;
            }
            samples.push((at, Some(value)));
        }
        self.series.push((labels, samples));
    }

    fn counters(&mut self) {
        for job in JOBS {
            for instance in INSTANCES {
                for status in ["200", "404", "500"] {
                    let own = f64::from(self.chance.below(1000)) / 1024.0;
                    let pace = 1 + self.chance.below(40);
                    let least = self.era.least();
                    let mut total = f64::from(self.chance.below(500)) + 2.0 * least + own;
                    let resets = self.chance.below(4);
                    let labels = [("__name__", "requests_total"), ("job", job), ("instance", instance), ("status", status)];
                    self.add(Labels::from_pairs(labels), |chance, _| {
                        total += f64::from(chance.below(pace));
                        if chance.percent(resets) {
                            total = f64::from(chance.below(pace)) + least + own;
                        }
                        total.into()
                    });
                }
            }
        }
    }

    fn gauges(&mut self) {
        for job in JOBS {
            for instance in INSTANCES {
                let own = f64::from(self.chance.below(1 << 16)) / 65_536.0;
                let mut level = f64::from(self.chance.below(100)) + own + self.era.least();
                let labels = [("job", job), ("instance", instance)];
                self.add(Labels::from_pairs(labels).with("__name__", "temperature"), |chance, _| {
                    level += f64::from(chance.below(41)) / 4.0 - 5.0;
                    level.into()
                });
                self.add(Labels::from_pairs(labels).with("__name__", "up"), |chance, _| {
                    f64::from(u8::from(!chance.percent(10))).into()
                });
                let steady = f64::from(self.chance.below(9)) - 4.0 + own;
                self.add(Labels::from_pairs(labels).with("__name__", "steady"), |_, _| steady.into());
            }
        }
    }

    fn oddities(&mut self) {
        // Nothing so great that what is added to it is lost, for then the order of additions matters.
        const ODD: [f64; 11] =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e6, -1e6, 1.0, -1.0, 0.5, 3.0];
        for (case, rate) in [("all", 100), ("many", 40), ("few", 8), ("rare", 2)] {
            for job in JOBS {
                let own = f64::from(self.chance.below(64)) / 64.0;
                let labels = [("__name__", "odd"), ("case", case), ("job", job)];
                self.add(Labels::from_pairs(labels), |chance, index| {
                    if chance.percent(rate) {
                        return chance.any(&ODD).into();
                    }
                    #[expect(clippy::cast_precision_loss, reason = "there are few intervals")]
                    (index as f64 * 2.0 + own).into()
                });
            }
        }
    }

    /// What is joined with others by its labels.
    fn facts(&mut self) {
        for job in JOBS {
            for instance in INSTANCES {
                let version = self.chance.any(&["1.0", "1.1", ""]);
                let labels = [("job", job), ("instance", instance), ("version", version)];
                for name in ["build_info", "target_info"] {
                    self.add(Labels::from_pairs(labels).with("__name__", name), |_, _| 1.0.into());
                }
            }
            let limit = f64::from(self.chance.below(100)) + 0.5;
            self.add(Labels::from_pairs([("__name__", "quota"), ("job", job)]), |_, _| limit.into());
        }
        self.add(Labels::from_pairs([("__name__", "lonely")]), |chance, _| f64::from(chance.below(8)).into());
        self.add(Labels::from_pairs([("__name__", "clock"), ("zone", "a")]), |chance, index| {
            #[expect(clippy::cast_precision_loss, reason = "a few years in seconds")]
            let seconds = (START / 1000 + index * 86_400 * 11) as f64;
            (seconds + f64::from(chance.below(86_400))).into()
        });
    }

    fn classic_histograms(&mut self) {
        const BOUNDS: [&str; 6] = ["0.1", "0.25", "0.5", "1", "5", "+Inf"];
        for job in JOBS {
            for instance in INSTANCES {
                let times = self.times();
                let least = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|factor| factor * self.era.least());
                let mut totals = least;
                let mut sum = self.era.least();
                let mut columns: Vec<Samples> = vec![Samples::new(); 8];
                for at in times {
                    if self.chance.percent(1) {
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
    fn odd_buckets(&mut self) {
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

    fn native_histograms(&mut self) {
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
            if (index / 12) % 2 == 0 { f64::from(chance.below(9)).into() } else { observe(&mut state, chance, false) }
        });
        self.add(Labels::from_pairs([("__name__", "mixed"), ("job", "db")]), |chance, _| f64::from(chance.below(9)).into());
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
