//! Our answers beside those of real Prometheus servers, on series and expressions by chance.
//!
//! `ALFRED_OPS_DIFFERENTIAL_SEED` replays a run, `ALFRED_OPS_DIFFERENTIAL_RUNS` says how many expressions (and, a
//! tenth of it, timelines of rules) are tried of each kind; `scripts/soak differential` tries 20,000.
//! `ALFRED_OPS_DIFFERENTIAL_QUERY` asks that one query only, at the times that the seed draws.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod chance;
mod dataset;
mod era;
mod expression;
mod mistake;
mod remote_write;
mod reply;
mod selection;
mod server;

use alfred_ops_alerts::promql::{Query, QueryOptions, RecordedSeries};
use alfred_ops_core::{Entropy as _, SystemEntropy};
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
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn seed() -> u64 {
    number("ALFRED_OPS_DIFFERENTIAL_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 4];
        SystemEntropy.fill(&mut bytes);
        u64::from(u32::from_le_bytes(bytes))
    })
}

/// What came of a run.
#[derive(Debug, Default)]
struct Tally {
    asked: u64,
    refused: u64,
    empty: u64,
    differences: Vec<String>,
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

/// Holds one expression against the server; the difference, and whether we refused or had nothing to tell.
async fn compare(
    (server, series, era): (&Prometheus, &RecordedSeries, Era),
    (expression, moment): (&Expression, Moment),
) -> (Option<String>, bool, bool) {
    let options = QueryOptions::default();
    let text = &expression.text;
    let (at, answer) = match moment {
        Moment::At(at) => (at, Query::parse(text).and_then(|query| query.instant(series, at, &options))),
        Moment::Range { start, end, step } => {
            (start, Query::parse(text).and_then(|query| query.range(series, (start, end, step), &options)))
        }
    };
    let ours = reply::ours(answer, at);
    let asked = match era {
        Era::Two => text.replace("double_exponential_smoothing", "holt_winters"),
        Era::Three => text.clone(),
    };
    let theirs = reply::theirs(&server.ask(&asked, moment).await);
    let difference = reply::difference(expression, era == Era::Three, &ours, &theirs).map(|what| {
        format!(
            "{what}: {text}\n    {moment:?}\n    ours   {}\n    theirs {}",
            reply::show(expression.shape, &ours, &theirs),
            reply::show(expression.shape, &theirs, &ours)
        )
    });
    if std::env::var_os(QUERY).is_some() {
        println!("{moment:?}: {}", reply::show(expression.shape, &ours, &Err(String::new())));
    }
    let empty = ours.as_ref().is_ok_and(|reply| reply.series.is_empty());
    (difference, ours.is_err(), empty)
}

async fn check_expressions(era: Era, share: u64) {
    let seed = seed();
    let runs = number("ALFRED_OPS_DIFFERENTIAL_RUNS").unwrap_or(share);
    println!("ALFRED_OPS_DIFFERENTIAL_SEED={seed}");
    let dataset = Dataset::new(&Chance::new(seed, u64::MAX), era);
    let series = dataset.recorded();
    let server = Prometheus::start(era).await;
    server.load(&dataset).await;
    let fixed = std::env::var(QUERY).ok();
    let mut tally = Tally::default();
    let (server, series) = (&server, &series);
    let trials = futures::stream::iter(0..runs).map(|trial| {
        let chance = Chance::new(seed, trial);
        let moment = moment(&chance, era);
        let expression = match &fixed {
            Some(text) => Expression { text: text.clone(), shape: Shape::Plain },
            None => Generator::new(&chance, era).expression(),
        };
        async move { compare((server, series, era), (&expression, moment)).await }
    });
    let mut trials = trials.buffer_unordered(PARALLEL);
    while let Some((difference, refused, empty)) = trials.next().await {
        tally.asked += 1;
        tally.refused += u64::from(refused);
        tally.empty += u64::from(empty);
        tally.differences.extend(difference);
        if tally.differences.len() >= SHOWN_MAX {
            break;
        }
    }
    println!("{era:?}: {} expressions asked, {} refused, {} without a sample", tally.asked, tally.refused, tally.empty);
    assert!(
        tally.differences.is_empty(),
        "{} differences with ALFRED_OPS_DIFFERENTIAL_SEED={seed}\n\n{}",
        tally.differences.len(),
        tally.differences.join("\n\n")
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
