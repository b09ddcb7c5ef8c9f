//! What every secret store passes.

use alfred_ops_core::{ErrorKind, Secret};

use crate::SecretStore;
use crate::VersionState::{Destroyed, Disabled, Enabled};

/// Proves that a store keeps the contract of [`SecretStore`], with secrets whose names begin with `conformance-`, of
/// which there are none before.
///
/// # Panics
/// If it does not.
pub async fn secret_store(store: &dyn SecretStore) {
    versions_live_and_die(store).await;
    the_active_one_changes_by_compare_and_set(store).await;
    bad_input_is_refused(store).await;
    writers_do_not_lose_each_other(store).await;
}

fn kind<T: std::fmt::Debug>(result: alfred_ops_core::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

async fn states(store: &dyn SecretStore, secret: &str) -> Vec<(u64, crate::VersionState)> {
    match store.look(secret).await {
        Ok(view) => view.versions.iter().map(|version| (version.number, version.state)).collect(),
        Err(error) => panic!("look: {}", error.full()),
    }
}

async fn versions_live_and_die(store: &dyn SecretStore) {
    const NAME: &str = "conformance-life";
    assert_eq!(states(store, NAME).await, [], "a secret that does not exist has no versions");
    assert_eq!(kind(store.read(NAME, 1).await), Some(ErrorKind::NotFound));
    let value = |text: &str| Secret::new(text);
    assert_eq!(kind(store.add(NAME, &value("one\nline two")).await), None);
    assert_eq!(kind(store.add(NAME, &value("two ünï")).await), None);
    assert_eq!(states(store, NAME).await, [(1, Enabled), (2, Enabled)]);
    let read =
        |number| async move { store.read(NAME, number).await.map(|secret| secret.expose().to_owned()).ok() };
    assert_eq!(read(1).await.as_deref(), Some("one\nline two"));
    assert_eq!(read(2).await.as_deref(), Some("two ünï"));
    assert_eq!(kind(store.read(NAME, 3).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(store.set_state(NAME, 3, Disabled).await), Some(ErrorKind::NotFound));

    let refused = Some(ErrorKind::Unsupported);
    assert_eq!(
        kind(store.set_state(NAME, 1, Destroyed).await),
        refused,
        "an enabled version is not destroyed"
    );
    for _ in 0..2 {
        assert_eq!(kind(store.set_state(NAME, 1, Disabled).await), None, "it may be repeated");
    }
    assert_eq!(kind(store.read(NAME, 1).await), refused);
    assert_eq!(kind(store.set_state(NAME, 1, Enabled).await), None);
    assert_eq!(read(1).await.as_deref(), Some("one\nline two"), "it comes back as it was");
    assert_eq!(kind(store.set_state(NAME, 1, Disabled).await), None);
    for _ in 0..2 {
        assert_eq!(kind(store.set_state(NAME, 1, Destroyed).await), None, "it may be repeated");
    }
    for state in [Enabled, Disabled] {
        assert_eq!(kind(store.set_state(NAME, 1, state).await), refused, "what is destroyed stays so");
    }
    assert_eq!(kind(store.read(NAME, 1).await), refused);
    assert_eq!(states(store, NAME).await, [(1, Destroyed), (2, Enabled)]);
    assert_eq!(store.add(NAME, &value("three")).await.ok(), Some(3), "numbers are not used again");
}

async fn the_active_one_changes_by_compare_and_set(store: &dyn SecretStore) {
    const NAME: &str = "conformance-active";
    for text in ["one", "two", "three"] {
        assert_eq!(kind(store.add(NAME, &Secret::new(text)).await), None);
    }
    let look = || async {
        match store.look(NAME).await {
            Ok(view) => view,
            Err(error) => panic!("look: {}", error.full()),
        }
    };
    let before = look().await;
    assert_eq!(before.active, None, "adding makes nothing active");
    assert_eq!(kind(store.point(NAME, 1, &before.revision).await), None);
    assert_eq!(look().await.active, Some(1));
    assert_eq!(
        kind(store.point(NAME, 2, &before.revision).await),
        Some(ErrorKind::Conflict),
        "it was seen before"
    );
    assert_eq!(look().await.active, Some(1));
    let revision = look().await.revision;
    assert_eq!(kind(store.point(NAME, 9, &revision).await), Some(ErrorKind::NotFound));
    assert_eq!(
        kind(store.set_state(NAME, 1, Disabled).await),
        Some(ErrorKind::Unsupported),
        "the active one stays"
    );
    assert_eq!(kind(store.set_state(NAME, 3, Disabled).await), None);
    let revision = look().await.revision;
    assert_eq!(kind(store.point(NAME, 3, &revision).await), Some(ErrorKind::Unsupported), "it is disabled");
    assert_eq!(kind(store.point(NAME, 2, &revision).await), None);
    assert_eq!(look().await.active, Some(2));
    assert_eq!(kind(store.set_state(NAME, 1, Disabled).await), None, "the former one may go");
    let value = store.read(NAME, 2).await;
    assert_eq!(value.map(|secret| secret.expose().to_owned()).ok().as_deref(), Some("two"));
}

async fn bad_input_is_refused(store: &dyn SecretStore) {
    let long = "n".repeat(256);
    for name in ["", "a/b", "..", "a b", "ü", "a\0", &long] {
        let bad = Some(ErrorKind::InvalidInput);
        assert_eq!(kind(store.look(name).await), bad, "{name:?}");
        assert_eq!(kind(store.read(name, 1).await), bad, "{name:?}");
        assert_eq!(kind(store.add(name, &Secret::new("x")).await), bad, "{name:?}");
        assert_eq!(kind(store.set_state(name, 1, Disabled).await), bad, "{name:?}");
        assert_eq!(kind(store.point(name, 1, "").await), bad, "{name:?}");
    }
    const NAME: &str = "conformance-input";
    for value in [String::new(), "s".repeat(64 * 1024 + 1)] {
        match store.add(NAME, &Secret::new(value)).await {
            Err(error) => assert!(!error.full().contains("sss"), "an error shows a value: {}", error.full()),
            Ok(number) => panic!("it was taken as version {number}"),
        }
    }
    assert_eq!(kind(store.add(NAME, &Secret::new("s".repeat(64 * 1024))).await), None);
}

async fn writers_do_not_lose_each_other(store: &dyn SecretStore) {
    const NAME: &str = "conformance-many";
    assert_eq!(kind(store.add(NAME, &Secret::new("first")).await), None);
    let texts: [Secret; 4] = std::array::from_fn(|index| Secret::new(format!("value {index}")));
    let [a, b, c, d] = &texts;
    let (a, b, c, d) =
        tokio::join!(store.add(NAME, a), store.add(NAME, b), store.add(NAME, c), store.add(NAME, d));
    let mut numbers: Vec<u64> = [a, b, c, d].into_iter().flatten().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5], "each got a number of its own");
    let Ok(view) = store.look(NAME).await else { panic!("look failed") };
    let points = tokio::join!(store.point(NAME, 2, &view.revision), store.point(NAME, 3, &view.revision));
    assert_eq!(
        [points.0.is_ok(), points.1.is_ok()].into_iter().filter(|won| *won).count(),
        1,
        "of two who saw the same, one wins"
    );
}
