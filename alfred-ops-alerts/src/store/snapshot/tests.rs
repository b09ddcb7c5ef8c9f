use std::sync::Arc;

use alfred_ops_core::histogram::{Histogram, ResetHint};
use alfred_ops_core::{ErrorKind, Labels, Result};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::promql::{Query, QueryOptions, SampleValue, SeriesId, SeriesSource as _, Value, Window};
use crate::store::{Interest, RestoredSamples, SampleStore, StoreLimits};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn labels(index: u32) -> Labels {
    Labels::metric("m").with("i", &index.to_string()).with("job", "agents")
}

/// What a store holds, to the bit.
fn held(store: &SampleStore) -> Vec<String> {
    let all = store.select(&[]);
    let mut held: Vec<String> = all.into_iter().map(|series| held_series(store, series)).collect();
    held.sort();
    held
}

fn held_series(store: &SampleStore, series: SeriesId) -> String {
    let mut window = Window::default();
    store.window(series, i64::MIN, i64::MAX, &mut window);
    let floats: Vec<(i64, u64)> = window.floats.iter().map(|(at, value)| (*at, value.to_bits())).collect();
    let ends = store.series(series).and_then(|series| series.rare.as_ref()).map(|rare| &rare.ends);
    format!("{} {floats:?} {:?} {ends:?}", store.labels(series), window.histograms)
}

fn restored(snapshot: &[u8], now: i64) -> Result<(SampleStore, RestoredSamples)> {
    let mut store = SampleStore::default();
    let restored = store.restore(snapshot, at(now))?;
    Ok((store, restored))
}

fn ask(store: &SampleStore, query: &str, now: i64) -> String {
    let query: Query = query.parse().unwrap();
    match query.instant(store, at(now).timestamp_millis(), &QueryOptions::default()).unwrap().value {
        Value::Vector(samples) => samples.iter().map(|sample| format!("{} ", sample.value)).collect(),
        other => format!("{other:?}"),
    }
}

fn counting(seconds: std::ops::Range<i64>) -> SampleStore {
    let mut store = SampleStore::default();
    for second in seconds.step_by(15) {
        let value = f64::from(i32::try_from(second).unwrap());
        store.append(&labels(0), at(second), value);
    }
    store
}

fn kind(snapshot: &[u8]) -> ErrorKind {
    restored(snapshot, 0).unwrap_err().kind()
}

/// With a checksum that is right again.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    content.truncate(content.len().saturating_sub(CHECKSUM_BYTES));
    let checksum = xxhash_rust::xxh3::xxh3_64(&content);
    content.extend(checksum.to_le_bytes());
    content
}

#[test]
fn what_is_too_old_or_of_no_interest_is_left_out() {
    let snapshot = counting(0..600).snapshot(at(600));
    let (store, counts) = restored(&snapshot, 600).unwrap();
    assert_eq!((counts.created_at, counts.series, counts.samples), (at(600), 1, 40));
    assert_eq!((store.counters().series, store.counters().samples), (1, 40));
    // Nothing is held in reserve.
    assert!(store.counters().bytes <= counting(0..600).counters().bytes);
    // The store keeps an hour.
    let (store, counts) = restored(&snapshot, 2 * 3600).unwrap();
    assert_eq!((store.counters().series, counts.expired, counts.samples), (0, 1, 0));
    let (store, counts) = restored(&snapshot, -600).unwrap();
    assert_eq!((store.counters().series, counts.ahead), (0, 1));
    let mut store = SampleStore::new(StoreLimits::default(), Interest::default());
    assert_eq!(store.restore(&snapshot, at(600)).unwrap().ignored, 1);
    let mut store =
        SampleStore::new(StoreLimits::default().with_series_max(0), Interest::everything(3_600_000));
    assert_eq!(store.restore(&snapshot, at(600)).unwrap().refused, 1);
    assert_eq!(store.counters().bytes, 0);
}

#[test]
fn what_the_store_has_already_goes_on_from_the_snapshot() {
    let snapshot = counting(0..600).snapshot(at(600));
    let mut store = counting(600..660);
    let counts = store.restore(&snapshot, at(660)).unwrap();
    assert_eq!((counts.series, counts.samples, counts.overlapping), (1, 40, 0));
    let whole = counting(0..660);
    assert_eq!(held(&store), held(&whole));
    assert_eq!(ask(&store, "rate(m[10m])", 660), ask(&whole, "rate(m[10m])", 660));
    assert_eq!(store.counters().samples, 44);
    // Once more it would be the same samples again.
    let counts = store.restore(&snapshot, at(660)).unwrap();
    assert_eq!((counts.series, counts.overlapping, store.counters().samples), (0, 1, 44));
    let bytes = store.counters().bytes;
    store.expire(at(660));
    assert_eq!(store.counters().bytes, bytes);
}

#[test]
fn a_series_without_an_end_is_present_until_lookback_passes() {
    let mut store = counting(0..61);
    store.mark_stale(&labels(1), at(70));
    let (store, _) = restored(&store.snapshot(at(61)), 120).unwrap();
    assert_eq!((ask(&store, "m", 359).as_str(), ask(&store, "m", 360).as_str()), ("60 ", ""));
    let mut ended = counting(0..61);
    ended.mark_stale(&labels(0), at(65));
    let (store, _) = restored(&ended.snapshot(at(70)), 120).unwrap();
    assert_eq!((ask(&store, "m", 64).as_str(), ask(&store, "m", 120).as_str()), ("60 ", ""));
}

#[test]
fn anything_but_a_whole_snapshot_is_refused() {
    let snapshot = counting(0..600).snapshot(at(600));
    assert_eq!(kind(b""), ErrorKind::Corrupt);
    assert_eq!(kind(b"alfredss"), ErrorKind::Corrupt);
    assert_eq!(kind(&[snapshot.as_slice(), &[0]].concat()), ErrorKind::Corrupt);
    for length in 0..snapshot.len() {
        assert_eq!(kind(&snapshot[..length]), ErrorKind::Corrupt, "{length}");
    }
    let mut newer = snapshot.clone();
    newer[MAGIC.len()] = 2;
    assert_eq!(kind(&newer), ErrorKind::Corrupt);
    let error = restored(&sealed(newer), 600).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("has version 2, known is 1"), "{error}");
    let mut longer = snapshot;
    longer.push(0);
    assert!(restored(&sealed(longer), 600).unwrap_err().to_string().contains("something follows"));
}

#[test]
fn a_usual_series_takes_few_bytes() {
    let mut store = SampleStore::default();
    for second in (0..900).step_by(15) {
        let rest = f64::from(i32::try_from(second % 7).unwrap());
        for series in 0..100 {
            store.append(&labels(series), at(second), f64::from(series) + rest);
        }
    }
    let bytes = store.snapshot(at(900)).len();
    // Of 60 samples each a byte, and what stands before them.
    assert!(bytes < 100 * 90, "{bytes}");
}

fn histogram() -> impl Strategy<Value = Histogram> {
    let buckets = || prop::collection::btree_map(-40_i32..40, 0.0_f64..9.0, 0..5);
    let hint = prop_oneof![Just(ResetHint::Unknown), Just(ResetHint::Reset), Just(ResetHint::Gauge)];
    let exponential = (-4_i32..=8, hint, any::<f64>(), any::<f64>(), buckets(), buckets()).prop_map(
        |(schema, reset_hint, count, sum, positive, negative)| Histogram {
            reset_hint,
            count,
            sum,
            positive: positive.into_iter().collect(),
            negative: negative.into_iter().collect(),
            ..Histogram::exponential(schema)
        },
    );
    let custom = (0_i32..4, 0.0_f64..9.0).prop_map(|(index, count)| Histogram {
        positive: vec![(index, count)],
        ..Histogram::custom([0.5, 1.0, 2.5])
    });
    prop_oneof![3 => exponential, 1 => custom]
}

fn value() -> impl Strategy<Value = Option<SampleValue>> {
    prop_oneof![
        6 => (0_i32..100_000).prop_map(|value| Some(f64::from(value).into())),
        4 => Just(Some(7.0.into())),
        3 => (-500_i32..500).prop_map(|value| Some((f64::from(value) / 100.0).into())),
        2 => any::<u64>().prop_map(|bits| Some(f64::from_bits(bits).into())),
        1 => Just(Some((-0.0).into())),
        2 => histogram().prop_map(|histogram| Some(SampleValue::Histogram(Arc::new(histogram)))),
        1 => Just(None),
    ]
}

fn filled(steps: &[(u32, i64, Option<SampleValue>)]) -> (SampleStore, i64) {
    let (mut store, mut now) = (SampleStore::default(), 0);
    for (series, pause, value) in steps {
        now += pause;
        match value {
            Some(value) => {
                store.append_value(&labels(*series), at(now).timestamp_millis(), value);
            }
            None => store.mark_stale(&labels(*series), at(now)),
        }
    }
    (store, now)
}

fn steps() -> impl Strategy<Value = Vec<(u32, i64, Option<SampleValue>)>> {
    prop::collection::vec((0_u32..5, prop_oneof![3 => Just(15_i64), 1 => 1_i64..60], value()), 0..60)
}

proptest! {
    #[test]
    fn every_series_comes_back_to_the_bit(steps in steps()) {
        let (store, now) = filled(&steps);
        let snapshot = store.snapshot(at(now));
        let (back, counts) = restored(&snapshot, now).unwrap();
        prop_assert_eq!(held(&back), held(&store));
        prop_assert_eq!(back.snapshot(at(now)), snapshot);
        prop_assert_eq!(counts.samples, store.counters().samples);
        prop_assert_eq!(back.counters().samples, store.counters().samples);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let head: Vec<u8> = MAGIC.into_iter().chain(VERSION.to_le_bytes()).chain([0; 8]).collect();
        prop_assert!(restored(&bytes, 0).is_err());
        drop(restored(&sealed([head, bytes].concat()), 0));
    }

    /// Even with a checksum that is right: then what is taken over can be asked, and written again.
    #[test]
    fn changed_snapshots_are_read_or_refused(
        steps in steps(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (store, now) = filled(&steps);
        let whole = store.snapshot(at(now));
        let mut changed = whole.clone();
        for (place, byte) in changes {
            let place = place.index(changed.len());
            changed[place] = byte;
        }
        if let Some(cut) = cut {
            changed.truncate(cut.index(changed.len()));
        }
        prop_assert!(changed == whole || restored(&changed, now).is_err());
        if let Ok((mut back, _)) = restored(&sealed(changed), now) {
            for query in ["rate(m[5m])", "m", "max_over_time(m[1m])", "histogram_quantile(0.5, m)"] {
                ask(&back, query, now);
            }
            let again = back.snapshot(at(now));
            prop_assert_eq!(held(&restored(&again, now).unwrap().0), held(&back));
            back.expire(at(now + 3000));
        }
    }
}
