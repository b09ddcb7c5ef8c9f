//! Damage on the way is not damage where it lies.

use alfred_ops_core::{ErrorKind, Result};

/// Reads, and reads once more what turned out to be damaged: only what is damaged twice is damaged where it
/// lies.
pub(crate) async fn read_again_if_damaged<T, F: Future<Output = Result<T>>>(
    read: impl Fn() -> F,
) -> Result<T> {
    match read().await {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!(error = %error.full(), "what was read is damaged, reading it again");
            read().await
        }
        outcome => outcome,
    }
}
