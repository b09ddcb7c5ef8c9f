//! What every implementation of a trait must do: each function panics with the first breach it finds.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a conformance suite reports by panicking")]

use alfred_ops_core::ErrorKind;

use crate::Scaler;

/// Checks that `scaler`, whose service nobody else changes meanwhile, keeps the contract of [`Scaler`].
/// Leaves the service at two instances.
///
/// # Panics
/// At the first breach.
pub async fn scaler(scaler: &dyn Scaler) {
    assert!(!scaler.name().is_empty());
    let limits = scaler.limits();
    assert!(limits.min <= 2 && limits.max >= 5, "the suite needs room: {limits:?}");

    let before = scaler.current().await.unwrap();
    let plan = scaler.plan(5).await.unwrap();
    assert!(plan.contains('5'), "a plan names the number: {plan}");
    assert_eq!(scaler.current().await.unwrap(), before, "a plan changes nothing");

    let outcome = scaler.scale(5, &before.precondition).await.unwrap();
    assert_eq!(outcome.configured, 5);
    let after = scaler.current().await.unwrap();
    assert_eq!(after.configured, 5);
    assert_eq!(outcome.precondition, after.precondition, "the outcome is what is read next");
    assert_ne!(after.precondition, before.precondition, "a change shows in the precondition");

    let late = scaler.scale(4, &before.precondition).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict, "{late}");
    assert_eq!(scaler.current().await.unwrap(), after, "a late change does nothing");

    let rivals = (1..=3).map(|target| scaler.scale(target, &after.precondition));
    let mut won = 0;
    for outcome in futures::future::join_all(rivals).await {
        match outcome {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
    assert_eq!(won, 1, "of rivals with one precondition one wins");

    let too_many = limits.max.checked_add(1).unwrap();
    let now = scaler.current().await.unwrap();
    for error in [
        scaler.plan(too_many).await.unwrap_err(),
        scaler.scale(too_many, &now.precondition).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&too_many.to_string()), "the number is named: {error}");
    }
    let two = scaler.scale(2, &now.precondition).await.unwrap();
    scaler.scale(2, &two.precondition).await.expect("the same number again is no mistake");
    assert_eq!(scaler.current().await.unwrap().configured, 2);
}
