//! Series by chance.

use alfred_ops_alerts::promql::{RecordedSeries, SampleValue};
use alfred_ops_core::Labels;

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

pub(crate) struct Maker<'a> {
    pub(crate) chance: &'a Chance,
    pub(crate) era: Era,
    pub(crate) series: Vec<(Labels, Samples)>,
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
    pub(crate) fn times(&self) -> Vec<i64> {
        let phase = match self.era {
            Era::Two => self.chance.any(&[137, 7_211, 14_003, 21_499]),
            Era::Three => self.chance.any(&[0, 0, 0, 5_000, 7_211, 14_003]),
        };
        (0..INTERVALS).map(|index| START + index * INTERVAL + phase).collect()
    }

    /// Adds a series: `value` tells each sample. Some have gaps, ends, and only a part of the time.
    pub(crate) fn add(&mut self, labels: Labels, mut value: impl FnMut(&Chance, i64) -> SampleValue) {
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
                    let mut total = f64::from(self.chance.below(500)) + 4.0 * least + own;
                    let resets = self.chance.below(4);
                    let labels = [
                        ("__name__", "requests_total"),
                        ("job", job),
                        ("instance", instance),
                        ("status", status),
                    ];
                    self.add(Labels::from_pairs(labels), |chance, _| {
                        total += f64::from(chance.below(pace));
                        if chance.percent(resets) && total >= 4.0 * least {
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
                let mut level = f64::from(self.chance.below(100)) + own;
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
}
