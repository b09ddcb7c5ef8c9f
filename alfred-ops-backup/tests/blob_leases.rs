//! Leases in blob stores: the common contract, slow writers, lost answers, careless stores.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::testing::{BlobMethod, Fault, FaultyBlobStore};
use alfred_ops_backup::{BlobLeases, BlobStore, LocalBlobStore, MemoryBlobStore, MockBlobStore, S3BlobStore};
use alfred_ops_core::testing::conformance;
use alfred_ops_core::{
    Clock as _, EntropyExt as _, ErrorKind, Grant, JobContext, LeaseStore, SeededEntropy, SimulatedClock,
    TaskSet,
};
use bytes::Bytes;
use chrono::DateTime;
use tokio_util::sync::CancellationToken;

const TTL: Duration = Duration::from_secs(8);

fn clock() -> (SimulatedClock, JobContext) {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let context = JobContext::system().with_clock(clock.shared());
    (clock, context)
}

async fn conforms(store: impl BlobStore) {
    let (clock, context) = clock();
    let leases = Arc::new(BlobLeases::open(store, &context).await.unwrap());
    let pass = || {
        let clock = clock.clone();
        async move { clock.advance(Duration::from_secs(1)) }
    };
    conformance::lease_store(&*leases, pass).await;
    conformance::lease_store(&leases, pass).await;
}

#[tokio::test]
async fn they_conform_on_every_store() {
    conforms(MemoryBlobStore::new()).await;
    let home = tempfile::tempdir().unwrap();
    conforms(LocalBlobStore::open(home.path()).await.unwrap()).await;
    let server = S3Server::start(&["backups"]).await.unwrap();
    let store: Arc<dyn BlobStore> =
        Arc::new(S3BlobStore::connect(server.options("backups").with_prefix("p")).await.unwrap());
    conforms(store).await;
    server.stop().await;
}

#[tokio::test]
async fn a_rival_takes_over_only_what_it_has_itself_seen_standing_still() {
    let (clock, context) = clock();
    let store = Arc::new(MemoryBlobStore::new());
    let ours = BlobLeases::open(Arc::clone(&store), &context).await.unwrap();
    let theirs = BlobLeases::open(store, &context).await.unwrap();
    let grant = ours.acquire("ops", "a", TTL).await.unwrap().unwrap();
    // Long expired by any clock, but a newcomer cannot know that it was not renewed just now.
    clock.advance(TTL * 100);
    assert_eq!(theirs.acquire("ops", "b", TTL).await.unwrap(), None);
    clock.advance(TTL - Duration::from_millis(1));
    let renewed = ours.renew(&grant).await.unwrap();
    clock.advance(Duration::from_millis(1));
    assert_eq!(theirs.acquire("ops", "b", TTL).await.unwrap(), None, "it was renewed meanwhile");
    clock.advance(TTL);
    assert_eq!(renewed.trust_left(clock.monotonic()), Duration::ZERO, "trust ended before");
    let next = theirs.acquire("ops", "b", TTL).await.unwrap().unwrap();
    assert!(next.epoch > grant.epoch);
    assert_eq!(ours.renew(&renewed).await.unwrap_err().kind(), ErrorKind::Fenced);
    let error = ours.check(&renewed.fence(), "commit backup").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    ours.check(&next.fence(), "commit backup").await.unwrap();
}

#[tokio::test]
async fn a_writer_paused_until_its_serial_was_removed_does_not_win() {
    let (clock, context) = clock();
    let store = Arc::new(FaultyBlobStore::new(MemoryBlobStore::new()));
    let slow = BlobLeases::open(Arc::clone(&store), &context).await.unwrap();
    let quick = BlobLeases::open(Arc::clone(&store), &context).await.unwrap();
    let grant = quick.acquire("ops", "a", TTL).await.unwrap().unwrap();
    assert_eq!(slow.acquire("ops", "b", TTL).await.unwrap(), None);
    clock.advance(TTL);
    let release = CancellationToken::new();
    store.script(BlobMethod::Create, [Fault::HoldUntil(release.clone())]);
    // The slow one decides to take over, and its write hangs; meanwhile the owner is back and renews twice.
    let taking = slow.acquire("ops", "b", TTL);
    let renewing = async {
        while store.calls(BlobMethod::Create) < 6 {
            tokio::task::yield_now().await;
        }
        let grant = quick.renew(&grant).await.unwrap();
        let grant = quick.renew(&grant).await.unwrap();
        let states = store.inner().list("leases/ops/", "", 9).await.unwrap();
        assert_eq!(states.len(), 1, "older states are removed: {states:?}");
        release.cancel();
        grant
    };
    let (taken, grant) = tokio::join!(taking, renewing);
    assert_eq!(taken.unwrap(), None, "its state is not the highest");
    let grant = quick.renew(&grant).await.unwrap();
    quick.renew(&grant).await.unwrap();
    let states = store.inner().list("leases/ops/", "", 9).await.unwrap();
    assert_eq!(states.len(), 1, "what it left is removed as well: {states:?}");
}

#[tokio::test]
async fn a_careless_store_is_refused() {
    let mut careless = MockBlobStore::new();
    careless.expect_create().returning(|_, _| Ok(()));
    careless.expect_delete().returning(|_| Ok(()));
    careless.expect_location().return_const("s3://garage".to_owned());
    let error = BlobLeases::open(careless, &JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("s3://garage") && text.contains("honours If-None-Match"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_removed_or_read_is_told() {
    let (_, context) = clock();
    let store = Arc::new(FaultyBlobStore::new(MemoryBlobStore::new()));
    let leases = BlobLeases::open(Arc::clone(&store), &context).await.unwrap();
    let mut grant = leases.acquire("ops", "a", TTL).await.unwrap().unwrap();
    store.script(BlobMethod::Delete, (0..40).map(|_| Fault::Reject(ErrorKind::PermissionDenied)));
    for _ in 0..5 {
        grant = leases.renew(&grant).await.unwrap();
    }
    store.heal();
    leases.renew(&grant).await.unwrap();
    assert_eq!(store.list("leases/ops/", "", 9).await.unwrap().len(), 1, "a later write removes the rest");

    store.put("leases/bad/0000000000000001", Bytes::from_static(b"?")).await.unwrap();
    let error = leases.acquire("bad", "a", TTL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    assert!(text.contains("leases/bad/0000000000000001") && text.contains("delete this object"), "{text}");

    for name in ["a/b", "a b", ""] {
        let error = leases.acquire(name, "a", TTL).await.unwrap_err();
        assert!(error.to_string().contains("one part of a key"), "{error}");
    }
    for number in 1..=4096 {
        store.put(&format!("leases/full/{number:016x}"), Bytes::new()).await.unwrap();
    }
    let error = leases.acquire("full", "a", TTL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.to_string().contains("no Object Lock"), "{error}");
}

/// What the actors of one history know of each other: who was last granted the lease, and until when.
#[derive(Debug, Default)]
struct Witness {
    trusted: Option<(u64, Duration)>,
    epoch: u64,
    grants: u32,
    renewals: u32,
}

impl Witness {
    /// Notes that `actor` was given `grant`, unless the answer came so late that its trust is over.
    fn note(&mut self, actor: u64, grant: &Grant, now: Duration) {
        if grant.trust_left(now).is_zero() {
            return;
        }
        if let Some((other, until)) = self.trusted {
            assert!(other == actor || until <= now, "{actor} got the lease while {other} trusts it");
        }
        assert!(grant.epoch >= self.epoch, "epochs grow");
        self.epoch = grant.epoch;
        self.trusted = Some((actor, grant.trusted_until));
    }
}

/// One actor that acquires, renews, releases or forgets the lease, over a store that is slow and fails.
async fn act(
    actor: u64,
    leases: BlobLeases<Arc<FaultyBlobStore<MemoryBlobStore>>>,
    clock: SimulatedClock,
    witness: Arc<Mutex<Witness>>,
    entropy: SeededEntropy,
) {
    for round in 0..40 {
        clock.sleep(Duration::from_millis(entropy.below(700))).await;
        // Each run of a process has a name of its own.
        let holder = format!("{actor}-{}", round / 5);
        let acquired = leases.acquire("ops", &holder, Duration::from_secs(2)).await;
        let Ok(Some(mut grant)) = acquired else { continue };
        witness.lock().unwrap().note(actor, &grant, clock.monotonic());
        witness.lock().unwrap().grants += 1;
        for _ in 0..entropy.below(6) {
            clock.sleep(Duration::from_millis(entropy.below(900))).await;
            match leases.renew(&grant).await {
                Ok(renewed) => {
                    grant = renewed;
                    witness.lock().unwrap().note(actor, &grant, clock.monotonic());
                    witness.lock().unwrap().renewals += 1;
                }
                Err(error) if error.kind() == ErrorKind::Fenced => break,
                Err(_) => {}
            }
        }
        // Half of the holders vanish; the others give up their trust and release.
        if entropy.below(2) == 0 {
            witness.lock().unwrap().trusted.take_if(|(other, _)| *other == actor);
            let _ = leases.release(&grant).await;
        }
    }
}

#[tokio::test]
async fn at_most_one_holder_trusts_a_lease_whatever_fails() {
    let (mut grants, mut renewals) = (0, 0);
    for seed in 0..30 {
        let (clock, context) = clock();
        let store = Arc::new(FaultyBlobStore::new(MemoryBlobStore::new()).with_clock(clock.shared()));
        let witness = Arc::new(Mutex::new(Witness::default()));
        let mut actors = Vec::new();
        for actor in 0..4 {
            let leases = BlobLeases::open(Arc::clone(&store), &context).await.unwrap();
            let entropy = SeededEntropy::new(seed * 100 + actor);
            actors.push(act(actor, leases, clock.clone(), Arc::clone(&witness), entropy));
        }
        let entropy = SeededEntropy::new(seed);
        for method in [BlobMethod::Create, BlobMethod::List, BlobMethod::Get, BlobMethod::Delete] {
            store.script(
                method,
                (0..1000).map(|_| match entropy.below(20) {
                    0 => Fault::Reject(ErrorKind::Unavailable),
                    1 => Fault::FailAfter(ErrorKind::Timeout),
                    // Now and then longer than trust lasts.
                    2 => Fault::Delay(Duration::from_millis(entropy.below(2500))),
                    _ => Fault::Delay(Duration::from_millis(entropy.below(60))),
                }),
            );
        }
        let tasks = TaskSet::new(&CancellationToken::new());
        let handles: Vec<_> = actors.into_iter().map(|actor| tasks.spawn(actor)).collect();
        let mut ended = futures::future::join_all(handles);
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut ended => break ended,
                () = tokio::task::yield_now() => clock.advance(Duration::from_millis(5)),
            }
        };
        assert!(ended.iter().all(Result::is_ok), "seed {seed}");
        let witness = witness.lock().unwrap();
        grants += witness.grants;
        renewals += witness.renewals;
    }
    assert!(grants > 300 && renewals > 300, "the histories show something: {grants} {renewals}");
}
