//! Snapshots of samples of any bytes, with a checksum that is right: read or refused, never a panic; what was taken over
//! can be asked, and comes back whole from a snapshot of its own.

#![no_main]

use std::sync::OnceLock;

use alfred_ops_alerts::promql::{Query, QueryOptions, SeriesSource};
use alfred_ops_alerts::{Interest, SampleStore, StoreLimits};
use chrono::DateTime;
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"alfredss\x01\0\0\0";
const NOW_SECONDS: i64 = 1_000_000;

fn query() -> &'static Query {
    static QUERY: OnceLock<Query> = OnceLock::new();
    QUERY.get_or_init(|| Query::parse("rate({__name__=~\".+\"}[5m]) or avg_over_time({job=\"a\"}[1h])").unwrap())
}

fn store() -> SampleStore {
    SampleStore::new(StoreLimits::default().with_bytes_max(1 << 20), Interest::everything(3_600_000))
}

fuzz_target!(|content: &[u8]| {
    let mut snapshot = [HEAD, content].concat();
    let checksum = xxhash_rust::xxh3::xxh3_64(&snapshot);
    snapshot.extend(checksum.to_le_bytes());
    let now = DateTime::from_timestamp(NOW_SECONDS, 0).unwrap();
    let mut first = store();
    if first.restore(&snapshot, now).is_err() {
        assert!(first.select(&[]).is_empty(), "a refused snapshot leaves nothing");
        return;
    }
    let mut second = store();
    second.restore(&first.snapshot(now), now).unwrap();
    assert_eq!(first.counters(), second.counters());
    let _ = query().instant(&first, NOW_SECONDS * 1000, &QueryOptions::default().with_samples_max(50_000));
    first.expire(now);
});
