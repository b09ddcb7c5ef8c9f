//! What every lease store must do.

#![expect(clippy::unwrap_used, reason = "a conformance suite reports by panicking")]

use std::time::Duration;

use crate::{ErrorKind, Grant, LeaseStore};

/// The term of the suite's leases, well above a round trip to any store.
const TTL: Duration = Duration::from_secs(2);
/// Three terms and a half: if a lease does not expire within so many passes of a second, it never does.
const PASSES_MAX: u32 = 7;

/// Checks that `leases` keep the contract of [`LeaseStore`]. `pass_second` lets about a second pass for the
/// store and for the holders. Leaves leases behind.
///
/// # Panics
/// At the first breach.
pub async fn lease_store<F: Future<Output = ()>>(leases: &dyn LeaseStore, pass_second: impl Fn() -> F) {
    one_of_many_rivals_wins(leases).await;
    a_release_frees_at_once(leases).await;
    renewal_keeps_and_silence_loses(leases, pass_second).await;
    the_same_holder_starts_anew(leases).await;
    bad_input_is_refused(leases).await;
}

async fn one_of_many_rivals_wins(leases: &dyn LeaseStore) {
    let first = leases.acquire("rivals", "first", TTL).await.unwrap().unwrap();
    leases.release(&first).await.unwrap();
    let (a, b, c) = tokio::join!(
        leases.acquire("rivals", "a", TTL),
        leases.acquire("rivals", "b", TTL),
        leases.acquire("rivals", "c", TTL)
    );
    let grants: Vec<Grant> = [a, b, c].into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(grants.len(), 1, "exactly one of several rivals gets a free lease: {grants:?}");
    assert!(grants[0].epoch > first.epoch, "the epoch grows with every owner");
    assert_eq!((grants[0].name.as_str(), grants[0].ttl), ("rivals", TTL));
    leases.release(&grants[0]).await.unwrap();
}

async fn a_release_frees_at_once(leases: &dyn LeaseStore) {
    let grant = leases.acquire("release", "a", TTL).await.unwrap().unwrap();
    assert_eq!(leases.acquire("release", "b", TTL).await.unwrap(), None, "it has an owner");
    leases.release(&grant).await.unwrap();
    leases.release(&grant).await.unwrap();
    assert_eq!(
        leases.renew(&grant).await.unwrap_err().kind(),
        ErrorKind::Fenced,
        "what is free is not renewed"
    );
    let next = leases.acquire("release", "b", TTL).await.unwrap().unwrap();
    assert!(next.epoch > grant.epoch, "a release does not start the epochs again");
    leases.release(&grant).await.unwrap();
    assert_eq!(leases.acquire("release", "c", TTL).await.unwrap(), None, "a late release frees nothing");
    leases.release(&next).await.unwrap();
}

async fn renewal_keeps_and_silence_loses<F: Future<Output = ()>>(
    leases: &dyn LeaseStore,
    pass_second: impl Fn() -> F,
) {
    let mut grant = leases.acquire("renew", "a", TTL).await.unwrap().unwrap();
    for _ in 0..4 {
        pass_second().await;
        let renewed = leases.renew(&grant).await.unwrap();
        assert_eq!(renewed.epoch, grant.epoch, "a renewal is no change of owner");
        assert!(renewed.trusted_until > grant.trusted_until, "trust grows: {grant:?} then {renewed:?}");
        grant = renewed;
        assert_eq!(leases.acquire("renew", "b", TTL).await.unwrap(), None, "a renewed lease is kept");
    }
    let mut next = None;
    for _ in 0..PASSES_MAX {
        pass_second().await;
        next = leases.acquire("renew", "b", TTL).await.unwrap();
        if next.is_some() {
            break;
        }
    }
    let next = next.unwrap();
    assert!(next.epoch > grant.epoch);
    let error = leases.renew(&grant).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert!(error.to_string().contains("renew"), "the lease is named: {error}");
    leases.release(&next).await.unwrap();
}

async fn the_same_holder_starts_anew(leases: &dyn LeaseStore) {
    let first = leases.acquire("anew", "a", TTL).await.unwrap().unwrap();
    let second = leases.acquire("anew", "a", TTL).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch, "an acquisition whose answer was lost is repeated safely");
    assert_eq!(leases.renew(&first).await.unwrap_err().kind(), ErrorKind::Fenced);
    leases.renew(&second).await.unwrap();
    leases.release(&second).await.unwrap();
}

async fn bad_input_is_refused(leases: &dyn LeaseStore) {
    for (name, holder, ttl) in
        [("", "a", TTL), ("bad", "", TTL), ("bad", "a", Duration::ZERO), ("a b", "a", TTL)]
    {
        let error = leases.acquire(name, holder, ttl).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?} {holder:?} {ttl:?}: {error}");
    }
}
