//! One object, looked at and mended where that is possible.

use std::sync::Arc;

use alfred_ops_core::{ErrorKind, Result, blocking};
use bytes::Bytes;

use super::{Damage, DamageKind};
use crate::{BlobStore, Repository};

/// Says of an object's bytes whether they are what they must be, and what they hold.
pub(super) type Check<T> = Arc<dyn Fn(&Bytes) -> Result<T, Wrong> + Send + Sync>;

/// Why bytes are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) kind: DamageKind,
    pub(super) what: String,
}

impl From<alfred_ops_core::Error> for Wrong {
    fn from(error: alfred_ops_core::Error) -> Self {
        Self { kind: DamageKind::Changed, what: error.to_string() }
    }
}

/// What became of one object.
#[derive(Debug)]
pub(super) struct Examination<T> {
    /// What a whole object holds, be it mended.
    pub(super) content: Option<T>,
    pub(super) bytes: u64,
    /// What was wrong with it.
    pub(super) damage: Option<Damage>,
    /// Why it is still damaged although it should have been mended.
    pub(super) not_mended: Option<String>,
}

/// Reads one object and checks it. Given a `second` store, puts that one's copy in the place of a damaged object,
/// once the copy has passed the same check. Until then the damaged one stays: parts of it may be whole.
pub(super) async fn examine<T: Send + 'static>(
    repository: &Repository,
    second: Option<&dyn BlobStore>,
    key: String,
    check: Check<T>,
) -> Result<Examination<T>> {
    let (data, wrong) = match repository.store.get(&key).await {
        Ok(data) => match checked(&check, &data).await? {
            Ok(content) => {
                let bytes = data.len() as u64;
                return Ok(Examination { content: Some(content), bytes, damage: None, not_mended: None });
            }
            Err(wrong) => (Some(data), wrong),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            (None, Wrong { kind: DamageKind::Missing, what: "it is not there".to_owned() })
        }
        Err(error) => return Err(error),
    };
    let bytes = data.as_ref().map_or(0, |data| data.len() as u64);
    let damage = Some(Damage::new(key.clone(), wrong.kind, wrong.what));
    let (content, not_mended) = match second {
        None => (None, None),
        Some(second) => match mend(repository, second, &key, data.is_some(), &check).await? {
            Ok(content) => (Some(content), None),
            Err(why) => (None, Some(why)),
        },
    };
    Ok(Examination { content, bytes, damage, not_mended })
}

/// Replaces an object by the second store's copy, or says why not.
async fn mend<T: Send + 'static>(
    repository: &Repository,
    second: &dyn BlobStore,
    key: &str,
    is_there: bool,
    check: &Check<T>,
) -> Result<Result<T, String>> {
    let (candidate, content) = match fetch(second, key, check).await? {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    if is_there {
        repository.store.put(key, candidate.clone()).await?;
    } else {
        match repository.store.create(key, candidate.clone()).await {
            // It came to be meanwhile, and nobody's object is overwritten.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created?,
        }
    }
    // A store that damages what it is given would do so again.
    match repository.store.get(key).await {
        Ok(stored) if stored == candidate || checked(check, &stored).await?.is_ok() => {
            tracing::info!(key, from = second.location(), "mended");
            Ok(Ok(content))
        }
        Ok(_) => Ok(Err("it was written, and the store gave back other bytes".to_owned())),
        Err(error) => Err(error),
    }
}

/// The second store's copy, if it passes the check; or why it does not.
pub(super) async fn fetch<T: Send + 'static>(
    second: &dyn BlobStore,
    key: &str,
    check: &Check<T>,
) -> Result<Result<(Bytes, T), String>> {
    let candidate = match second.get(key).await {
        Ok(candidate) => candidate,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Err("the second store has none".to_owned()));
        }
        Err(error) => return Err(error),
    };
    Ok(match checked(check, &candidate).await? {
        Ok(content) => Ok((candidate, content)),
        Err(wrong) => Err(format!("the second store's copy is damaged too: {}", wrong.what)),
    })
}

async fn checked<T: Send + 'static>(check: &Check<T>, data: &Bytes) -> Result<Result<T, Wrong>> {
    let (check, data) = (Arc::clone(check), data.clone());
    blocking(move || check(&data)).await
}
