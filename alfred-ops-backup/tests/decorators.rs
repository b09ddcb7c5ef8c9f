//! Each decorator keeps the contract of what it wraps, and adds what it promises.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::{BlobMethod, Fault, FaultyBlobStore, conformance};
use alfred_ops_backup::{
    BlobInfo, BlobStore, CreateOnce, MemoryBlobStore, MirroredBlobStore, MockBlobStore, PrefixedBlobStore,
    RetryingBlobStore, Throttle, ThrottledBlobStore, probe_conditional_writes,
};
use alfred_ops_core::{Clock as _, ErrorKind, JobContext, Retry, RetryPolicy, SimulatedClock};
use bytes::Bytes;
use chrono::DateTime;
use tokio_util::sync::CancellationToken;

type Faulty = Arc<FaultyBlobStore<MemoryBlobStore>>;

fn faulty() -> Faulty {
    Arc::new(FaultyBlobStore::new(MemoryBlobStore::new()))
}

/// A context and policy whose pauses end at once.
fn retrying<S: BlobStore>(store: S) -> RetryingBlobStore<S> {
    RetryingBlobStore::new(store, JobContext::system())
        .with_policy(RetryPolicy::default().with_pauses(Duration::ZERO, Duration::ZERO))
}

fn mirrored() -> (Faulty, Faulty, MirroredBlobStore<Faulty, Faulty>) {
    let (primary, second) = (faulty(), faulty());
    let mirror = MirroredBlobStore::new(Arc::clone(&primary), Arc::clone(&second));
    (primary, second, mirror)
}

#[tokio::test]
async fn every_decorator_conforms_over_memory() {
    let memory = || -> Arc<dyn BlobStore> { Arc::new(MemoryBlobStore::new()) };
    let clock = JobContext::system().clock;
    conformance::blob_store(&memory()).await;
    conformance::blob_store(&retrying(memory())).await;
    conformance::blob_store(&ThrottledBlobStore::new(memory(), Throttle::default(), clock)).await;
    conformance::blob_store(&PrefixedBlobStore::new(memory(), "/a/b/").unwrap()).await;
    conformance::blob_store(&MirroredBlobStore::new(memory(), memory())).await;
    conformance::blob_store(&FaultyBlobStore::new(memory())).await;
    let stacked = MirroredBlobStore::new(retrying(PrefixedBlobStore::new(memory(), "p").unwrap()), memory());
    conformance::blob_store(&stacked).await;
}

#[tokio::test]
async fn a_retrying_store_conforms_over_a_store_that_fails_by_chance() {
    for seed in 0..20 {
        let store = FaultyBlobStore::new(MemoryBlobStore::new());
        let policy = RetryPolicy::default().with_attempts_max(50).with_pauses(Duration::ZERO, Duration::ZERO);
        // Reads keep their bytes here: a wrong bit is for the reader to find.
        for method in BlobMethod::ALL {
            let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout];
            let draw = |step: u64| kinds[usize::try_from((step + seed) % 2).unwrap()];
            store.script(
                method,
                (0..8u64).map(|step| match (step * 7 + seed) % 3 {
                    0 => Fault::Reject(draw(step)),
                    1 => Fault::FailAfter(draw(step)),
                    _ => Fault::Pass,
                }),
            );
        }
        let store = RetryingBlobStore::new(store, JobContext::system())
            .with_policy(policy)
            .with_budget(Arc::new(alfred_ops_core::RetryBudget::new(1000)));
        conformance::blob_store(&store).await;
    }
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_looked_at() {
    let store = faulty();
    let retrying = retrying(Arc::clone(&store));
    store.script(BlobMethod::Create, [Fault::FailAfter(ErrorKind::Timeout)]);
    retrying.create("a", Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!(
        (store.calls(BlobMethod::Create), store.calls(BlobMethod::Get)),
        (1, 1),
        "looked, not repeated"
    );

    // Nothing happened: the look finds nothing, the creation is repeated.
    store.script(BlobMethod::Create, [Fault::Reject(ErrorKind::Timeout)]);
    retrying.create("b", Bytes::from_static(b"ours")).await.unwrap();

    // An outage that hid a success: the repeat finds the key taken by our own bytes.
    store.script(BlobMethod::Create, [Fault::FailAfter(ErrorKind::Timeout)]);
    store.script(BlobMethod::Get, [Fault::Reject(ErrorKind::NotFound)]);
    retrying.create("c", Bytes::from_static(b"ours")).await.unwrap();

    // A rival was faster while we could not see.
    store.inner().create("d", Bytes::from_static(b"theirs")).await.unwrap();
    store.script(BlobMethod::Create, [Fault::Reject(ErrorKind::Timeout)]);
    let error = retrying.create("d", Bytes::from_static(b"ours")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");

    // Equal bytes that were there before the first attempt are not ours.
    let error = retrying.create("a", Bytes::from_static(b"ours")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");

    // What stays unknown says so, whatever the last attempt said.
    let mut faults = vec![Fault::Reject(ErrorKind::Timeout)];
    faults.extend((0..4).map(|_| Fault::Reject(ErrorKind::Unavailable)));
    store.script(BlobMethod::Create, faults);
    let error = retrying.create("e", Bytes::from_static(b"ours")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Unknown), "{error}");
}

#[tokio::test]
async fn what_will_fail_the_same_way_is_not_repeated() {
    let store = faulty();
    let retrying = retrying(Arc::clone(&store));
    store.script(BlobMethod::Put, [Fault::Reject(ErrorKind::PermissionDenied)]);
    let error = retrying.put("a", Bytes::new()).await.unwrap_err();
    assert_eq!((error.kind(), store.calls(BlobMethod::Put)), (ErrorKind::PermissionDenied, 1));
}

#[tokio::test]
async fn a_throttle_spreads_bytes_over_time() {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let kilobyte = NonZeroU64::new(1000).unwrap();
    let throttle =
        Throttle::default().with_write_bytes_per_second(kilobyte).with_read_bytes_per_second(kilobyte);
    let store = ThrottledBlobStore::new(MemoryBlobStore::new(), throttle, clock.shared());
    let body = || Bytes::from(vec![0; 500]);
    // Three writes of half a second each: they begin after 0, 0.5 and 1 s.
    let writes =
        async { tokio::join!(store.put("a", body()), store.put("b", body()), store.put("c", body())) };
    let drive = async {
        let mut seen = Vec::new();
        for _ in 0..2 {
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            seen.push(clock.sleepers());
            clock.advance(Duration::from_millis(500));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        seen
    };
    let ((a, b, c), seen) = tokio::join!(writes, drive);
    a.and(b).and(c).unwrap();
    assert_eq!((seen, clock.monotonic()), (vec![2, 1], Duration::from_secs(1)));
    // A read is charged afterwards; the next one waits.
    store.get_range("a", 0..250).await.unwrap();
    let drive = async {
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(249));
        tokio::task::yield_now().await;
        assert_eq!(clock.sleepers(), 1, "not yet");
        clock.advance(Duration::from_millis(1));
    };
    let (read, ()) = tokio::join!(store.get("b"), drive);
    assert_eq!(read.unwrap().len(), 500);
}

#[tokio::test]
async fn a_throttle_bounds_requests_at_a_time() {
    let slow = faulty();
    let release = CancellationToken::new();
    slow.script(BlobMethod::Put, (0..4).map(|_| Fault::HoldUntil(release.clone())));
    let throttle = Throttle::default().with_requests_max(NonZeroU32::new(2).unwrap());
    let store = ThrottledBlobStore::new(Arc::clone(&slow), throttle, JobContext::system().clock);
    let writes = futures::future::join_all(["a", "b", "c", "d"].map(|key| store.put(key, Bytes::new())));
    let watch = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(slow.calls(BlobMethod::Put), 2, "the others wait for a place");
        release.cancel();
    };
    let (outcomes, ()) = tokio::join!(writes, watch);
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(slow.calls(BlobMethod::Put), 4);
}

#[tokio::test]
async fn a_prefix_is_a_store_of_its_own() {
    let below = Arc::new(MemoryBlobStore::new());
    let store = PrefixedBlobStore::new(Arc::clone(&below), "tenant/one").unwrap();
    below.put("tenant/one-more/x", Bytes::new()).await.unwrap();
    store.put("x", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(store.list("", "", 10).await.unwrap(), [BlobInfo { key: "x".to_owned(), bytes: 1 }]);
    assert_eq!(below.get("tenant/one/x").await.unwrap(), "1");
    let error = store.get("y").await.unwrap_err().to_string();
    assert!(error.contains("tenant/one/y"), "{error}");
    let error = PrefixedBlobStore::new(below, "../other").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_mirror_acknowledges_what_both_hold_and_names_the_side_that_failed() {
    let (primary, second, mirror) = mirrored();
    mirror.put("a", Bytes::from_static(b"1")).await.unwrap();
    mirror.create("b", Bytes::from_static(b"2")).await.unwrap();
    for side in [&primary, &second] {
        assert_eq!(side.inner().get("a").await.unwrap(), "1");
        assert_eq!(side.inner().get("b").await.unwrap(), "2");
    }
    second.script(BlobMethod::Put, [Fault::Reject(ErrorKind::PermissionDenied)]);
    let error = mirror.put("c", Bytes::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("the mirror's second store failed"), "{error}");
    primary.script(BlobMethod::Create, [Fault::Reject(ErrorKind::Unavailable)]);
    let error = mirror.create("d", Bytes::new()).await.unwrap_err();
    assert!(error.to_string().contains("the mirror's primary store failed"), "{error}");
    assert!(second.inner().get("d").await.is_err(), "the primary decides first");
}

#[tokio::test]
async fn a_creation_that_ended_between_the_sides_is_completed_by_its_repeat() {
    for fault in [Fault::Reject(ErrorKind::Unavailable), Fault::FailAfter(ErrorKind::Timeout)] {
        let (primary, second, mirror) = mirrored();
        second.script(BlobMethod::Put, [fault.clone()]);
        let error = mirror.create("a", Bytes::from_static(b"ours")).await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(None), "a repeat is wanted: {error}");
        assert_eq!(primary.inner().get("a").await.unwrap(), "ours");
        let error = mirror.create("a", Bytes::from_static(b"theirs")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        let error = mirror.create("a", Bytes::from_static(b"ours")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert_eq!(second.inner().get("a").await.unwrap(), "ours", "the repeat completed the second");
    }
    for side in [0, 1] {
        let (primary, second, mirror) = mirrored();
        let retrying = retrying(mirror);
        let (faulty, method) =
            if side == 0 { (&primary, BlobMethod::Create) } else { (&second, BlobMethod::Put) };
        faulty.script(method, [Fault::FailAfter(ErrorKind::Timeout), Fault::Reject(ErrorKind::Unavailable)]);
        retrying.create("a", Bytes::from_static(b"ours")).await.unwrap();
        assert_eq!(second.inner().get("a").await.unwrap(), "ours");
        assert_eq!(primary.inner().get("a").await.unwrap(), "ours");
    }
}

#[tokio::test]
async fn a_mirror_reads_from_the_second_what_the_primary_lost() {
    let (primary, second, mirror) = mirrored();
    mirror.put("a", Bytes::from_static(b"0123456789")).await.unwrap();
    for kind in [ErrorKind::NotFound, ErrorKind::Unavailable, ErrorKind::Corrupt, ErrorKind::PermissionDenied]
    {
        primary.script(BlobMethod::Get, [Fault::Reject(kind)]);
        assert_eq!(mirror.get("a").await.unwrap(), "0123456789", "{kind}");
    }
    // Cut short in the primary.
    primary.inner().put("a", Bytes::from_static(b"01")).await.unwrap();
    assert_eq!(mirror.get_range("a", 5..8).await.unwrap(), "567");
    primary.script(BlobMethod::List, [Fault::Reject(ErrorKind::Unavailable)]);
    assert_eq!(mirror.list("", "", 5).await.unwrap().len(), 1);
    assert_eq!(mirror.fallbacks(), 6);
    // Missing is what both miss; an outage is never mistaken for it.
    assert_eq!(mirror.get("none").await.unwrap_err().kind(), ErrorKind::NotFound);
    primary.script(BlobMethod::Get, [Fault::Reject(ErrorKind::Unavailable)]);
    assert_eq!(mirror.get("none").await.unwrap_err().kind(), ErrorKind::Unavailable);
    second.script(BlobMethod::Get, [Fault::Reject(ErrorKind::Unavailable)]);
    assert_eq!(mirror.get("none").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(mirror.fallbacks(), 6, "only answers count");
}

#[tokio::test]
async fn a_deletion_that_fails_brings_nothing_back_and_copies_repair_the_second() {
    let (primary, second, mirror) = mirrored();
    mirror.put("a", Bytes::from_static(b"1")).await.unwrap();
    second.script(BlobMethod::Delete, [Fault::Reject(ErrorKind::Unavailable)]);
    mirror.delete("a").await.unwrap_err();
    assert_eq!(mirror.get("a").await.unwrap(), "1", "not deleted yet");
    primary.script(BlobMethod::Delete, [Fault::Reject(ErrorKind::Unavailable)]);
    mirror.delete("a").await.unwrap_err();
    mirror.delete("a").await.unwrap();
    assert_eq!(mirror.get("a").await.unwrap_err().kind(), ErrorKind::NotFound);

    for number in 0..2500 {
        let key = format!("many/{number:04}");
        primary.inner().put(&key, Bytes::from_static(b"abc")).await.unwrap();
        if number % 1000 != 7 {
            second.inner().put(&key, Bytes::from_static(b"abc")).await.unwrap();
        }
    }
    second.inner().put("many/0100", Bytes::from_static(b"ab")).await.unwrap();
    second.inner().put("many/0100-more", Bytes::from_static(b"ab")).await.unwrap();
    let repair = mirror.copy_missing("many/").await.unwrap();
    assert_eq!((repair.looked_at, repair.copied, repair.copied_bytes), (2500, 4, 12));
    assert_eq!(mirror.copy_missing("many/").await.unwrap().copied, 0);
    assert_eq!(second.inner().get("many/2007").await.unwrap(), "abc");
}

#[tokio::test]
async fn faults_come_in_the_order_of_the_script_and_reads_are_damaged_as_told() {
    let store = faulty();
    store.put("a", Bytes::from_static(b"\x00\xff")).await.unwrap();
    store.script(BlobMethod::Get, [Fault::FlipBit(9), Fault::Truncate(1), Fault::Pass, Fault::FlipBit(16)]);
    assert_eq!(store.get("a").await.unwrap(), &b"\x00\xfd"[..]);
    assert_eq!(store.get("a").await.unwrap(), &b"\x00"[..]);
    assert_eq!(store.get("a").await.unwrap(), &b"\x00\xff"[..]);
    assert_eq!(store.get("a").await.unwrap(), &b"\x01\xff"[..], "bits are counted round");
    assert_eq!(store.injected(), 3);
    store.script(BlobMethod::Put, [Fault::FailAfter(ErrorKind::Unavailable)]);
    let error = store.put("b", Bytes::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Unknown));
    assert!(store.get("b").await.is_ok(), "the effect happened");
}

#[tokio::test]
async fn chance_replays_from_its_seed_and_ends_when_healed() {
    async fn run(seed: u64) -> (Vec<bool>, bool) {
        let store = FaultyBlobStore::new(MemoryBlobStore::new()).with_chance(seed, 30);
        let mut outcomes = Vec::new();
        for _ in 0..200 {
            outcomes.push(store.put("a", Bytes::new()).await.is_ok());
        }
        store.heal();
        (outcomes, store.put("a", Bytes::new()).await.is_ok())
    }
    let (outcomes, healed) = run(1).await;
    let failed = outcomes.iter().filter(|ok| !**ok).count();
    assert!((30..90).contains(&failed) && healed, "{failed}");
    assert_eq!(run(1).await.0, outcomes);
    assert_ne!(run(2).await.0, outcomes);
}

#[tokio::test]
async fn a_delay_is_taken_from_the_clock() {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let store = FaultyBlobStore::new(MemoryBlobStore::new())
        .with_clock(clock.shared())
        .with_delay(Duration::from_millis(30));
    let drive = async {
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(30));
    };
    let (outcome, ()) = tokio::join!(store.put("a", Bytes::new()), drive);
    outcome.unwrap();
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_found_out() {
    let context = JobContext::system();
    let honest = faulty();
    assert_eq!(probe_conditional_writes(&honest, &context).await.unwrap(), CreateOnce::Enforced);
    assert!(honest.list("", "", 1).await.unwrap().is_empty(), "the probe is removed");

    let mut careless = MockBlobStore::new();
    careless.expect_create().times(2).returning(|_, _| Ok(()));
    careless.expect_delete().times(1).returning(|_| Ok(()));
    assert_eq!(probe_conditional_writes(&careless, &context).await.unwrap(), CreateOnce::Ignored);

    honest.script(BlobMethod::Create, [Fault::Pass, Fault::Reject(ErrorKind::Unavailable)]);
    let error = probe_conditional_writes(&honest, &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "an outage proves nothing");
    honest.script(BlobMethod::Delete, [Fault::Reject(ErrorKind::PermissionDenied)]);
    assert_eq!(probe_conditional_writes(&honest, &context).await.unwrap(), CreateOnce::Enforced);
}
