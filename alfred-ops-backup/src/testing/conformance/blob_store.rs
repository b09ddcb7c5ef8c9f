//! What every blob store must do.

#![expect(clippy::unwrap_used, reason = "a conformance suite reports by panicking")]

use alfred_ops_core::ErrorKind;
use bytes::Bytes;

use crate::BlobStore;

/// Checks that an empty `store` keeps the contract of [`BlobStore`]. Leaves blobs behind.
///
/// # Panics
/// At the first breach.
pub async fn blob_store(store: &dyn BlobStore) {
    writes_are_read_back(store).await;
    ranges_are_exact(store).await;
    create_happens_once(store).await;
    listings_are_ordered_and_paged(store).await;
    deletion_repeats(store).await;
    bad_keys_are_refused(store).await;
}

async fn writes_are_read_back(store: &dyn BlobStore) {
    let missing = store.get("put/none").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("put/none"), "the key is named: {missing}");
    store.put("put/a", Bytes::from_static(b"one")).await.unwrap();
    store.put("put/a", Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(store.get("put/a").await.unwrap(), "second", "a put replaces");
    store.put("put/empty", Bytes::new()).await.unwrap();
    assert!(store.get("put/empty").await.unwrap().is_empty());
}

async fn ranges_are_exact(store: &dyn BlobStore) {
    store.put("range/a", Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(store.get_range("range/a", 0..10).await.unwrap(), "0123456789");
    assert_eq!(store.get_range("range/a", 3..7).await.unwrap(), "3456");
    assert_eq!(store.get_range("range/a", 9..10).await.unwrap(), "9");
    assert!(store.get_range("range/a", 4..4).await.unwrap().is_empty());
    for range in [5..11, 10..12, 11..20] {
        let error = store.get_range("range/a", range.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{range:?}: {error}");
    }
    assert_eq!(store.get_range("range/none", 0..1).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn create_happens_once(store: &dyn BlobStore) {
    let rivals = (0..8u8).map(|rival| store.create("create/a", Bytes::from(vec![rival; 100])));
    let outcomes = futures::future::join_all(rivals).await;
    let winners: Vec<usize> = (0..outcomes.len()).filter(|&rival| outcomes[rival].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one creation succeeds: {outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    }
    let kept = store.get("create/a").await.unwrap();
    assert_eq!(usize::from(kept[0]), winners[0], "the winner's bytes stay");
    assert_eq!(kept.len(), 100);
}

async fn listings_are_ordered_and_paged(store: &dyn BlobStore) {
    for key in ["list/b/2", "list/a", "list/b/1", "list/c", "list-other", "list/b-x"] {
        store.put(key, Bytes::copy_from_slice(key.as_bytes())).await.unwrap();
    }
    let mut keys = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.list("list/", &after, 2).await.unwrap();
        assert!(page.iter().all(|blob| blob.bytes == blob.key.len() as u64), "sizes are told: {page:?}");
        let last = page.len() < 2;
        keys.extend(page.into_iter().map(|blob| blob.key));
        if last {
            break;
        }
        after.clone_from(&keys[keys.len() - 1]);
    }
    assert_eq!(keys, ["list/a", "list/b-x", "list/b/1", "list/b/2", "list/c"]);
    let partial = store.list("list/b", "", 10).await.unwrap();
    assert_eq!(partial.len(), 3, "a prefix is text, not a folder: {partial:?}");
    assert_eq!(store.list("list/b/", "list/b/1", 10).await.unwrap()[0].key, "list/b/2");
    assert!(store.list("nothing/", "", 10).await.unwrap().is_empty());
}

async fn deletion_repeats(store: &dyn BlobStore) {
    store.put("delete/a", Bytes::from_static(b"x")).await.unwrap();
    store.delete("delete/a").await.unwrap();
    store.delete("delete/a").await.unwrap();
    assert_eq!(store.get("delete/a").await.unwrap_err().kind(), ErrorKind::NotFound);
    store.create("delete/a", Bytes::from_static(b"y")).await.unwrap();
}

async fn bad_keys_are_refused(store: &dyn BlobStore) {
    for key in ["", "/a", "a/", "a//b", "../a", "a/./b", "a b", "ä", "~unfinished/x"] {
        let error = store.put(key, Bytes::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?}: {error}");
    }
}
