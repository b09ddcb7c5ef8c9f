use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::promql::{Query, QueryOptions, RecordedSeries, Value};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn labels(index: u32) -> Labels {
    Labels::metric("m").with("i", &index.to_string())
}

fn present(store: &SampleStore, now: i64) -> Vec<f64> {
    let query: Query = "m".parse().unwrap();
    match query.instant(store, now * 1000, &QueryOptions::default()).unwrap().value {
        Value::Vector(samples) => samples.iter().filter_map(|sample| sample.value.float()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_latest_sample_is_present_for_five_minutes_or_until_it_ends() {
    let mut store = SampleStore::default();
    assert_eq!(store.append(&labels(0), at(0), 7.0), Appended::Stored);
    assert_eq!(present(&store, -1), [0.0; 0]);
    assert_eq!(present(&store, 0), [7.0]);
    assert_eq!(present(&store, 299), [7.0]);
    assert_eq!(present(&store, 300), [0.0; 0]);
    store.mark_stale(&labels(0), at(15));
    assert_eq!(present(&store, 14), [7.0]);
    assert_eq!(present(&store, 15), [0.0; 0]);
    store.append(&labels(0), at(30), 8.0);
    assert_eq!(present(&store, 30), [8.0]);
    assert_eq!(store.append(&labels(0), at(30), 8.0), Appended::Stored);
    assert_eq!(store.append(&labels(0), at(30), 9.0), Appended::OutOfOrder);
    assert_eq!(store.append(&labels(0), at(29), 9.0), Appended::OutOfOrder);
    assert_eq!(store.counters().out_of_order, 2);
}

#[test]
fn beyond_the_limit_of_series_known_ones_go_on() {
    let limits = StoreLimits::default().with_series_max(2);
    let mut store = SampleStore::new(limits, Interest::everything(60_000));
    store.append(&labels(0), at(0), 1.0);
    store.append(&labels(1), at(0), 1.0);
    assert_eq!(store.append(&labels(2), at(0), 1.0), Appended::Full);
    assert_eq!(store.append(&labels(0), at(1), 2.0), Appended::Stored);
    let counters = store.counters();
    assert_eq!((counters.series, counters.samples, counters.series_refused), (2, 3, 1));
}

#[test]
fn beyond_the_limit_of_bytes_the_longest_series_give_up_their_older_half() {
    let limits = StoreLimits::default().with_bytes_max(4000);
    let mut store = SampleStore::new(limits, Interest::everything(1_000_000_000));
    for second in 0..1000 {
        // These do not compress.
        store.append(
            &labels(0),
            at(second),
            f64::from_bits(0x3ff0_0000_0000_0001 + u64::try_from(second).unwrap() * 7_777_777_777),
        );
        store.append(&labels(1), at(second), 1.0);
        store.expire(at(second));
        assert!(store.counters().bytes <= 4000);
    }
    assert!(store.counters().samples_shed > 400);
    assert_eq!(present(&store, 999).len(), 2);
    assert_eq!(store.append(&labels(2), at(1000), 1.0), Appended::Stored);
}

#[test]
fn what_no_rule_looks_at_is_not_kept_and_silent_series_make_room() {
    let query: Query = "m{i!=\"1\"} > 0".parse().unwrap();
    let interest = Interest::of([&query], &QueryOptions::default());
    let mut store = SampleStore::new(StoreLimits::default().with_series_max(1), interest);
    assert_eq!(store.append(&labels(1), at(0), 1.0), Appended::Ignored);
    assert_eq!(store.append(&labels(0), at(0), 1.0), Appended::Stored);
    store.expire(at(299));
    assert_eq!(store.counters().series, 1);
    store.expire(at(300));
    assert_eq!((store.counters().series, store.counters().samples), (0, 0));
    assert_eq!(store.append(&labels(2), at(301), 1.0), Appended::Stored);
    assert_eq!(present(&store, 301), [1.0]);
    store.set_interest(Interest::default());
    assert_eq!(store.counters().series, 0);
}

/// Samples in an order of their own, written.
fn sorted(value: Value) -> Vec<String> {
    match value {
        Value::Vector(samples) => {
            let mut all: Vec<String> =
                samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect();
            all.sort();
            all
        }
        other => vec![format!("{other:?}")],
    }
}

proptest! {
    /// What is read between two samples counts like a sample until the next one, and has then never been.
    #[test]
    fn what_is_provisional_counts_until_the_next_sample(
        steps in prop::collection::vec((
            prop_oneof![6 => (0_i32..20).prop_map(|v| Some(f64::from(v))), 1 => any::<f64>().prop_map(Some), 1 => Just(None)],
            prop::collection::vec(prop_oneof![(0_i32..20).prop_map(f64::from), any::<f64>()], 0..3),
        ), 0..40)
    ) {
        let queries = ["m", "rate(m[2m])", "count_over_time(m[90s])", "max_over_time(m[1m])", "resets(m[2m])"];
        let queries: Vec<Query> = queries.iter().map(|text| text.parse().unwrap()).collect();
        let options = QueryOptions::default();
        let mut store = SampleStore::new(StoreLimits::default(), Interest::of(&queries, &options));
        let mut whole = RecordedSeries::new();
        let mut now = 0;
        for (value, provisional) in steps {
            now += 15_000;
            match value {
                Some(value) => drop(store.append_value(&labels(0), now, &value.into())),
                None => store.mark_stale(&labels(0), DateTime::from_timestamp_millis(now).unwrap()),
            }
            whole.push(&labels(0), now, value.map(Into::into));
            prop_assert!(value.is_none() || !store.set_provisional(&labels(0), now, 77.0));
            let mut expected = whole.clone();
            let mut read_at = now;
            for value in provisional {
                read_at += 20;
                let known = queries[0].instant(&store, read_at, &options).unwrap().value;
                if store.set_provisional(&labels(0), read_at, value) {
                    expected = whole.clone();
                    expected.push(&labels(0), read_at, Some(value.into()));
                } else {
                    prop_assert_eq!(sorted(known), [format!("{} {}", labels(0), crate::promql::SampleValue::from(value))]);
                }
            }
            store.expire(DateTime::from_timestamp_millis(read_at).unwrap());
            for query in &queries {
                let expected = sorted(query.instant(&expected, read_at, &options).unwrap().value);
                let actual = sorted(query.instant(&store, read_at, &options).unwrap().value);
                prop_assert_eq!(expected, actual, "{} at {}", query, read_at);
            }
        }
    }

    /// The store answers as one that keeps everything whole, as long as nobody looks further back than it keeps.
    #[test]
    fn it_answers_as_one_that_keeps_everything(
        steps in prop::collection::vec((0_u32..4, 1_i64..60, prop_oneof![
            4 => (0_i32..50).prop_map(|v| Some(f64::from(v))), 2 => any::<f64>().prop_map(Some), 1 => Just(None)
        ]), 0..120)
    ) {
        let queries = ["m", "rate(m[2m])", "sum(increase(m[90s]))", "max_over_time(m[1m])", "changes(m[3m])", "delta(m[2m])"];
        let queries: Vec<Query> = queries.iter().map(|text| text.parse().unwrap()).collect();
        let options = QueryOptions::default();
        let mut store = SampleStore::new(StoreLimits::default(), Interest::of(&queries, &options));
        let mut whole = RecordedSeries::new();
        let mut plans: Vec<_> = queries.iter().map(Query::plan).collect();
        let mut now = 0;
        for (series, pause, value) in steps {
            now += pause;
            match value {
                Some(value) => {
                    store.append(&labels(series), at(now), value);
                    whole.push(&labels(series), now * 1000, Some(value.into()));
                }
                None => {
                    store.mark_stale(&labels(series), at(now));
                    whole.push(&labels(series), now * 1000, None);
                }
            }
            store.expire(at(now));
            for (query, plan) in queries.iter().zip(&mut plans) {
                let expected = sorted(query.instant(&whole, now * 1000, &options).unwrap().value);
                let actual = sorted(plan.instant(&store, now * 1000, &options).unwrap().value);
                prop_assert_eq!(expected, actual, "{} at {}", query, now);
            }
        }
    }
}
