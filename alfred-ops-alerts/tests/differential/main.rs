//! Our answers beside those of real Prometheus servers, on series and expressions by chance.
//!
//! `ALFRED_OPS_DIFFERENTIAL_SEED` makes other series and expressions or replays a run, `ALFRED_OPS_DIFFERENTIAL_RUNS` says how many expressions (and, a
//! tenth of it, timelines of rules) are tried of each kind; `scripts/soak differential` tries 20,000.
//! `ALFRED_OPS_DIFFERENTIAL_QUERY` asks that one query only, at the times that the seed draws.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod annotations;
mod chance;
mod dataset;
mod era;
mod expression;
mod function;
mod histograms;
mod mistake;
mod remote_write;
mod reply;
mod rules;
mod selection;
mod server;
mod timeline;

use alfred_ops_alerts::promql::{Query, QueryOptions, RecordedSeries};
use futures::StreamExt as _;

use chance::Chance;
use dataset::{Dataset, START};
use era::Era;
use expression::{Expression, Generator, Shape};
use server::{Moment, Prometheus};

/// So many differences are shown.
const SHOWN_MAX: usize = 20;
/// So many questions are asked at a time.
const PARALLEL: usize = 6;

/// Asks this query only.
const QUERY: &str = "ALFRED_OPS_DIFFERENTIAL_QUERY";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// The same one every time unless told otherwise: a test that fails is to fail again.
fn seed() -> u64 {
    number("ALFRED_OPS_DIFFERENTIAL_SEED").unwrap_or(1)
}

/// What came of a run.
#[derive(Debug, Default)]
struct Tally {
    asked: u64,
    refused: u64,
    empty: u64,
    differences: Vec<(u64, String)>,
}

/// When an expression is asked: off the grid of subqueries in the older era.
fn moment(chance: &Chance, era: Era) -> Moment {
    let at = match era {
        Era::Two => START + i64::from(chance.below(900)) * 5_000 + 2_500,
        Era::Three => START + i64::from(chance.below(4_600)) * 1_000,
    };
    if chance.percent(55) {
        return Moment::At(at);
    }
    let step = i64::from(chance.any(&[15, 30, 60, 125, 300])) * 1_000;
    Moment::Range { start: at, end: at + step * i64::from(chance.below(12)), step }
}

/// A server and what was loaded into it.
struct Pair {
    seed: u64,
    era: Era,
    server: Prometheus,
    series: RecordedSeries,
}

impl Pair {
    async fn new(seed: u64, era: Era) -> Self {
        let dataset = Dataset::new(&Chance::new(seed, u64::MAX), era);
        let series = dataset.recorded();
        let server = Prometheus::start(era).await;
        server.load(&dataset).await;
        Self { seed, era, server, series }
    }

    /// Holds one expression against the server; the difference, and whether we refused or had nothing to tell.
    async fn compare(&self, trial: u64) -> (Option<String>, bool, bool) {
        let chance = Chance::new(self.seed, trial);
        let moment = moment(&chance, self.era);
        let fixed = std::env::var(QUERY).ok();
        let expression = match &fixed {
            Some(text) => Expression { text: text.clone(), shape: Shape::Plain },
            None => Generator::new(&chance, self.era).expression(),
        };
        let options = QueryOptions::default();
        let text = &expression.text;
        let query = Query::parse(text);
        let (at, answer) = match moment {
            Moment::At(at) => (at, query.and_then(|query| query.instant(&self.series, at, &options))),
            Moment::Range { start, end, step } => {
                (start, query.and_then(|query| query.range(&self.series, (start, end, step), &options)))
            }
        };
        let ours = reply::ours(answer, at);
        let asked = match self.era {
            Era::Two => text.replace("double_exponential_smoothing", "holt_winters"),
            Era::Three => text.clone(),
        };
        let theirs = reply::theirs(&self.server.ask(&asked, moment).await);
        if fixed.is_some() {
            println!("{moment:?}: {}", reply::show(expression.shape, &ours, &Err(String::new())));
        }
        let difference = reply::difference(&expression, self.era == Era::Three, &ours, &theirs).map(|what| {
            format!(
                "{what}: {text}\n    {moment:?}\n    ours   {}\n    theirs {}",
                reply::show(expression.shape, &ours, &theirs),
                reply::show(expression.shape, &theirs, &ours)
            )
        });
        let empty = ours.as_ref().is_ok_and(|reply| reply.series.is_empty());
        (difference, ours.is_err(), empty)
    }
}

async fn check_expressions(era: Era, share: u64) {
    let seed = seed();
    let runs = number("ALFRED_OPS_DIFFERENTIAL_RUNS").unwrap_or(share);
    println!("ALFRED_OPS_DIFFERENTIAL_SEED={seed}");
    let pair = Pair::new(seed, era).await;
    let mut tally = Tally::default();
    let asked = |trial: u64| {
        let pair = &pair;
        async move { (trial, pair.compare(trial).await) }
    };
    let mut trials = futures::stream::iter(0..runs).map(asked).buffer_unordered(PARALLEL);
    while let Some((trial, (difference, refused, empty))) = trials.next().await {
        tally.asked += 1;
        tally.refused += u64::from(refused);
        tally.empty += u64::from(empty);
        tally.differences.extend(difference.map(|difference| (trial, difference)));
        if tally.differences.len() >= SHOWN_MAX {
            break;
        }
    }
    drop(trials);
    // Asked several things at a time, 3.5 mixes up histograms now and then: what counts is what it says when alone.
    let mut differences = Vec::new();
    for (trial, _) in &tally.differences {
        differences.extend(pair.compare(*trial).await.0);
    }
    let Tally { asked, refused, empty, .. } = tally;
    let unsteady = tally.differences.len() - differences.len();
    println!(
        "{era:?}: {asked} expressions asked, {refused} refused, {empty} without a sample, {unsteady} asked again"
    );
    assert!(
        differences.is_empty(),
        "{} differences with ALFRED_OPS_DIFFERENTIAL_SEED={seed}\n\n{}",
        differences.len(),
        differences.join("\n\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_come_to_the_same_as_in_prometheus_3() {
    check_expressions(Era::Three, 3_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_come_to_the_same_as_in_prometheus_2() {
    check_expressions(Era::Two, 1_000).await;
}

#[test]
fn rules_do_what_they_do_in_prometheus_3() {
    let runs = number("ALFRED_OPS_DIFFERENTIAL_RUNS").map_or(200, |runs| (runs / 10).max(1));
    println!("ALFRED_OPS_DIFFERENTIAL_SEED={}", seed());
    rules::check_timelines(seed(), runs);
}
