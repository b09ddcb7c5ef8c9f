//! What every state store must do.

#![expect(clippy::unwrap_used, reason = "a conformance suite reports by panicking")]

use serde_json::json;

use crate::{ErrorKind, Expected, Fence, StateStore, Write};

/// Checks that an empty `store` keeps the contract of [`StateStore`]. Leaves documents behind.
///
/// # Panics
/// At the first breach.
pub async fn state_store(store: &dyn StateStore) {
    writes_are_read_back(store).await;
    stale_writes_are_conflicts(store).await;
    one_of_many_rivals_wins(store).await;
    versions_are_never_used_again(store).await;
    late_writes_are_fenced(store).await;
    listings_are_ordered_and_paged(store).await;
    bad_input_is_refused(store).await;
}

async fn writes_are_read_back(store: &dyn StateStore) {
    assert_eq!(store.get("read/none").await.unwrap(), None);
    let value = json!({"text": "ü\n\"", "number": 12.5, "list": [1, null, true], "big": u64::MAX});
    let version = store.put(&Write::create("read/a", value.clone())).await.unwrap();
    let document = store.get("read/a").await.unwrap().unwrap();
    assert_eq!((document.key.as_str(), document.version), ("read/a", version));
    assert_eq!(document.value, value, "values come back as they were written");
    let later = store.get("read/a").await.unwrap().unwrap();
    assert!(later.read_at >= document.read_at, "the store's clock does not go back");
}

async fn stale_writes_are_conflicts(store: &dyn StateStore) {
    let first = store.put(&Write::create("cas/a", json!(1))).await.unwrap();
    let error = store.put(&Write::create("cas/a", json!(2))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("cas/a"), "the key is named: {error}");
    let second = store.put(&Write::replace("cas/a", json!(2), first)).await.unwrap();
    assert!(second > first, "versions grow: {first} then {second}");
    let stale = store.put(&Write::replace("cas/a", json!(3), first)).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict, "{stale}");
    let nothing = store.put(&Write::replace("cas/none", json!(3), first)).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Conflict, "{nothing}");
    assert_eq!(store.get("cas/a").await.unwrap().unwrap().value, json!(2), "a refused write changes nothing");
    let deletion = store.delete("cas/a", Expected::Version(first), None).await.unwrap_err();
    assert_eq!(deletion.kind(), ErrorKind::Conflict, "{deletion}");
    let deletion = store.delete("cas/a", Expected::Absent, None).await.unwrap_err();
    assert_eq!(deletion.kind(), ErrorKind::Conflict, "{deletion}");
    store.delete("cas/a", Expected::Version(second), None).await.unwrap();
    assert_eq!(store.get("cas/a").await.unwrap(), None);
    store.delete("cas/a", Expected::Absent, None).await.unwrap();
}

async fn one_of_many_rivals_wins(store: &dyn StateStore) {
    let version = store.put(&Write::create("rivals/a", json!(0))).await.unwrap();
    let attempts: [Write; 4] = [1, 2, 3, 4].map(|rival| Write::replace("rivals/a", json!(rival), version));
    let (a, b, c, d) = tokio::join!(
        store.put(&attempts[0]),
        store.put(&attempts[1]),
        store.put(&attempts[2]),
        store.put(&attempts[3])
    );
    let outcomes = [a, b, c, d];
    let winners: Vec<usize> = (0..4).filter(|&rival| outcomes[rival].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one of several writes succeeds: {outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    }
    let kept = store.get("rivals/a").await.unwrap().unwrap();
    assert_eq!(kept.value, json!(winners[0] + 1), "the winner's value stays");
}

async fn versions_are_never_used_again(store: &dyn StateStore) {
    let first = store.put(&Write::create("again/a", json!(1))).await.unwrap();
    store.delete("again/a", Expected::Version(first), None).await.unwrap();
    let second = store.put(&Write::create("again/a", json!(2))).await.unwrap();
    assert!(second > first, "a version lives once: {first} then {second}");
    let stale = store.put(&Write::replace("again/a", json!(3), first)).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict, "{stale}");
}

async fn late_writes_are_fenced(store: &dyn StateStore) {
    let at = |epoch| Some(Fence { lease: "conformance".to_owned(), epoch });
    let key = at(0).unwrap().document_key();
    let orphan = store.put(&Write::create("fence/a", json!(0)).with_fence(at(1))).await.unwrap_err();
    assert_eq!(orphan.kind(), ErrorKind::Fenced, "a lease that is not kept here proves nothing: {orphan}");
    let lease = store.put(&Write::create(key.clone(), json!({"epoch": 1}))).await.unwrap();
    let version = store.put(&Write::create("fence/a", json!(1)).with_fence(at(1))).await.unwrap();
    store.put(&Write::replace(key, json!({"epoch": 2}), lease)).await.unwrap();
    let late = store.put(&Write::replace("fence/a", json!(2), version).with_fence(at(1))).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Fenced, "{late}");
    assert!(late.to_string().contains("conformance"), "the lease is named: {late}");
    let late = store.delete("fence/a", Expected::Version(version), at(1)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Fenced, "{late}");
    assert_eq!(store.get("fence/a").await.unwrap().unwrap().value, json!(1));
    let version = store.put(&Write::replace("fence/a", json!(2), version).with_fence(at(2))).await.unwrap();
    store.delete("fence/a", Expected::Version(version), at(2)).await.unwrap();
}

async fn listings_are_ordered_and_paged(store: &dyn StateStore) {
    for key in ["list/b/2", "list/a", "list/B", "list/b/1", "list/c", "list-other", "list/b-x", "list/%_"] {
        store.put(&Write::create(key, json!(key))).await.unwrap();
    }
    let mut keys = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.list("list/", &after, 3).await.unwrap();
        assert!(page.iter().all(|document| document.value == json!(document.key)), "{page:?}");
        let last = page.len() < 3;
        keys.extend(page.into_iter().map(|document| document.key));
        after = keys.last().unwrap().clone();
        if last {
            break;
        }
    }
    let wanted = ["list/%_", "list/B", "list/a", "list/b-x", "list/b/1", "list/b/2", "list/c"];
    assert_eq!(keys, wanted, "in the order of their bytes, each once");
    assert!(store.list("list/none", "", 10).await.unwrap().is_empty());
    assert!(store.list("list/", "list/c", 10).await.unwrap().is_empty());
    assert_eq!(store.list("list/b", "list/a", 10).await.unwrap().len(), 3, "a start before the prefix");
    assert!(store.list("list/", "", 0).await.unwrap().is_empty());
    assert!(store.list("", "", 2).await.unwrap().len() == 2, "no prefix lists everything");
}

async fn bad_input_is_refused(store: &dyn StateStore) {
    for key in [String::new(), "with space".to_owned(), "tab\t".to_owned(), "ü".to_owned(), "x".repeat(513)]
    {
        let error = store.put(&Write::create(key.clone(), json!(1))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?}: {error}");
        let error = store.get(&key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?}: {error}");
        let error = store.delete(&key, Expected::Absent, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?}: {error}");
    }
    let large = Write::create("large", json!("x".repeat(1 << 20)));
    let error = store.put(&large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.to_string().contains("1048576"), "the limit is told: {error}");
}
