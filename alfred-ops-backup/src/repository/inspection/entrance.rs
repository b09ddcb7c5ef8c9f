//! Mending what a repository is opened by.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use bytes::Bytes;

use super::repair::foreign;
use super::{Damage, DamageKind};
use crate::repository::Layout;
use crate::repository::header::Header;
use crate::repository::keyring::DataKey;
use crate::{BlobStore, Repository, RepositoryOptions};

/// Commits that are compared to see whether two stores hold the same repository.
const COMMITS_COMPARED: usize = 100;

impl Repository {
    /// Mends the two objects without which a repository does not open: `repository.json`, and the wrapped data key
    /// of the key in `options`. They are taken from `from`, a copy of the same repository, which must open by these
    /// options. Returns what was wrong and is no longer; nothing is written where both are right. May be repeated.
    ///
    /// Where the header itself cannot tell, two stores hold the same repository if they have a commit in common, or
    /// `store` has none at all. A key that is missing while others are there was taken away and stays so.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if `from` holds another repository; as [`open`](Self::open) for `from`; the stores'.
    pub async fn repair_entrance(
        store: &dyn BlobStore,
        from: Arc<dyn BlobStore>,
        options: &RepositoryOptions,
    ) -> Result<Vec<Damage>> {
        let copy = Self::open(Arc::clone(&from), options.clone()).await?;
        let mut mended = Vec::new();
        let good = from.get(Layout::HEADER).await?;
        let wanted = Header::parse(&good, from.location())?;
        let found = optional(store.get(Layout::HEADER).await)?;
        let same = |json: &Bytes| Header::parse(json, store.location()).is_ok_and(|header| header == wanted);
        if !found.as_ref().is_some_and(same) {
            if !have_a_commit_in_common(store, &*from, found.is_none()).await? {
                return Err(foreign(
                    &*from,
                    "it holds another repository, or none of its backups is the same",
                ));
            }
            let what = "it is not the one that the second store holds";
            mended.push(replace(store, Layout::HEADER, found.as_ref(), good, what).await?);
        }
        let (Some(key), Some(data_key)) = (&options.key, copy.data_key()) else { return Ok(mended) };
        let object = Layout::key(&key.fingerprint());
        let found = optional(store.get(&object).await)?;
        let same = |json: &Bytes| {
            DataKey::unwrap(json, key).is_ok_and(|found| found.fingerprint() == data_key.fingerprint())
        };
        let taken_away = found.is_none() && !DataKey::known(store).await?.is_empty();
        if !taken_away && !found.as_ref().is_some_and(same) {
            let good = from.get(&object).await?;
            mended.push(replace(store, &object, found.as_ref(), good, "it does not open").await?);
        }
        Ok(mended)
    }
}

async fn replace(
    store: &dyn BlobStore,
    key: &str,
    found: Option<&Bytes>,
    good: Bytes,
    what: &str,
) -> Result<Damage> {
    match found {
        None => match store.create(key, good).await {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Damage::missing(key)),
        },
        Some(_) => {
            store.put(key, good).await?;
            Ok(Damage::new(key, DamageKind::Changed, what))
        }
    }
}

/// Whether both stores hold a commit of the same bytes; or the first holds none, if that is enough.
async fn have_a_commit_in_common(
    store: &dyn BlobStore,
    from: &dyn BlobStore,
    none_is_enough: bool,
) -> Result<bool> {
    let commits = store.list(Layout::COMMITS, "", COMMITS_COMPARED).await?;
    for commit in &commits {
        let (one, other) = (optional(store.get(&commit.key).await)?, optional(from.get(&commit.key).await)?);
        if one.is_some() && one == other {
            return Ok(true);
        }
    }
    Ok(commits.is_empty() && none_is_enough)
}

fn optional(found: Result<Bytes, Error>) -> Result<Option<Bytes>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
