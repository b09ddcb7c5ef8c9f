//! A repository in a blob store.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, Result};
use bytes::Bytes;

use super::header::{CipherName, Encryption, Header};
use super::keyring::DataKey;
use super::sealer::Sealer;
use super::{Layout, RepositoryKey, RepositoryOptions, read_again_if_damaged};
use crate::{BlobStore, CreateOnce, LogArchive, probe_conditional_writes};

/// Backups and logs in a blob store. Clones are the same repository.
///
/// It holds no state beyond the store: any number of hosts may open the same one, and a crash at any
/// moment leaves at most objects that no commit refers to.
#[derive(Clone)]
pub struct Repository {
    pub(super) store: Arc<dyn BlobStore>,
    pub(super) options: RepositoryOptions,
    pub(super) sealer: Sealer,
    data_key: Option<DataKey>,
    id: Id,
}

impl Repository {
    /// Opens the repository in `store` for writing, or makes one where the store holds none. Two hosts that
    /// do so at once with the same key open the same one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a format that this version does not know and for a store that ignores
    /// conditional writes (unless [`RepositoryOptions::single_writer`] is set),
    /// [`ErrorKind::PermissionDenied`] for a wrong or missing key, naming those that open it;
    /// the store's own errors.
    pub async fn open_or_create(
        store: Arc<dyn BlobStore>,
        options: RepositoryOptions,
        context: &JobContext,
    ) -> Result<Self> {
        let header = match store.get(Layout::HEADER).await {
            Ok(json) => Header::parse(&json, store.location())?,
            Err(error) if error.kind() == ErrorKind::NotFound => create(&*store, &options, context).await?,
            Err(error) => return Err(error),
        };
        let repository = Self::with_header(store, options, &header).await?;
        repository.require_conditional_writes(context).await?;
        Ok(repository)
    }

    async fn require_conditional_writes(&self, context: &JobContext) -> Result<()> {
        if self.options.single_writer
            || probe_conditional_writes(&*self.store, context).await? == CreateOnce::Enforced
        {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "open repository",
            "the store ignores conditional writes, so that two writers could overwrite each other",
        )
        .with_target(self.location())
        .with_remedy(
            "use another store, or promise with RepositoryOptions::with_single_writer that there is one",
        ))
    }

    /// Opens the repository in `store` for reading, writes nothing and makes none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, and as [`open_or_create`](Self::open_or_create).
    pub async fn open(store: Arc<dyn BlobStore>, options: RepositoryOptions) -> Result<Self> {
        let json = store.get(Layout::HEADER).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "open repository", "there is none")
                .with_target(store.location())
                .with_remedy("check the place and the prefix, or take a first backup to make one"),
            _ => error,
        })?;
        let header = Header::parse(&json, store.location())?;
        Self::with_header(store, options, &header).await
    }

    async fn with_header(
        store: Arc<dyn BlobStore>,
        options: RepositoryOptions,
        header: &Header,
    ) -> Result<Self> {
        let refuse = |what: &str| {
            Error::new(ErrorKind::PermissionDenied, "open repository", what).with_target(store.location())
        };
        let data_key = match (&header.encryption, &options.key) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(refuse("a key was given, and it is not encrypted")
                    .with_remedy("check that it is the right place; if so, open it without a key"));
            }
            (Some(_), None) => {
                let known = DataKey::known(&*store).await?.join(", ");
                return Err(refuse("it is encrypted, and no key was given")
                    .with_remedy(format!("give the key with one of these fingerprints: {known}")));
            }
            (Some(encryption), Some(key)) => {
                let data_key = DataKey::load(key, &*store).await?;
                if data_key.fingerprint() != encryption.data_key {
                    return Err(refuse("the key belongs to another repository")
                        .with_remedy("give the key that this repository was made with"));
                }
                Some(data_key)
            }
        };
        let sealer = match &data_key {
            Some(key) => Sealer::encrypted(key.bytes())?,
            None => Sealer::default(),
        };
        Ok(Self { store, options, sealer, data_key, id: header.id })
    }

    /// The repository's identifier, made with it.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// Where it lies, without credentials.
    #[must_use]
    pub fn location(&self) -> &str {
        self.store.location()
    }

    /// The log of that name, which exists as soon as something is appended.
    #[must_use]
    pub fn log(&self, name: impl Into<String>) -> LogArchive {
        LogArchive::new(Arc::clone(&self.store), name.into(), self.sealer.clone(), self.options.compression)
    }

    /// The names of the logs that begin with `prefix`.
    ///
    /// # Errors
    /// The store's.
    pub async fn logs(&self, prefix: &str) -> Result<Vec<String>> {
        logs_in(&*self.store, prefix).await
    }

    /// Lets another key open the repository too. No data is written again. May be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the repository is not encrypted; the store's.
    pub async fn add_key(&self, key: &RepositoryKey) -> Result<()> {
        let data_key = self.data_key.clone().ok_or_else(|| self.not_encrypted())?;
        data_key.store(key, &*self.store).await.map(drop)
    }

    /// The fingerprints of the keys that open the repository.
    ///
    /// # Errors
    /// The store's.
    pub async fn keys(&self) -> Result<Vec<String>> {
        DataKey::known(&*self.store).await
    }

    /// Takes a key's access away, by its fingerprint. Whoever held it may have kept the data key: after a
    /// theft make a new repository. A missing one is no error.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for the key that the repository was opened with; the store's.
    pub async fn remove_key(&self, fingerprint: &str) -> Result<()> {
        let own = self.options.key.as_ref().ok_or_else(|| self.not_encrypted())?;
        if own.fingerprint() == fingerprint {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "remove repository key",
                format!("{fingerprint} is the key in use"),
            )
            .with_target(self.location())
            .with_remedy("add another key, open the repository with that, then remove this one"));
        }
        self.store.delete(&Layout::key(fingerprint)).await
    }

    fn not_encrypted(&self) -> Error {
        Error::new(ErrorKind::Unsupported, "change repository keys", "the repository is not encrypted")
            .with_target(self.location())
            .with_remedy("make a new repository with a key; an existing one cannot be encrypted")
    }

    /// The key that its content is encrypted with, if it is.
    pub(super) const fn data_key(&self) -> Option<&DataKey> {
        self.data_key.as_ref()
    }

    /// A key's full place, for messages.
    pub(super) fn key_target(&self, key: &str) -> String {
        format!("{}/{key}", self.location())
    }

    /// Writes a sealed object that is written once. A repeat with the same content is no error, since after
    /// a lost answer the first attempt may have been the one that succeeded.
    pub(super) async fn create_sealed(&self, key: &str, raw: &[u8]) -> Result<()> {
        let object = self.sealer.seal_object(key, raw, self.options.compression)?;
        match self.store.create(key, object).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let there = self.store.get(key).await?;
                let same = self.sealer.open_object(key, &there).is_ok_and(|there| there == raw);
                if same { Ok(()) } else { Err(error) }
            }
            outcome => outcome,
        }
    }

    /// Reads an object that [`create_sealed`](Self::create_sealed) wrote.
    pub(super) async fn read_sealed(&self, key: &str) -> Result<Bytes> {
        read_again_if_damaged(|| async {
            let object = self.store.get(key).await?;
            self.sealer.open_object(key, &object).map_err(|error| error.with_target(self.key_target(key)))
        })
        .await
    }
}

/// The names of the logs in a store that begin with `prefix`.
pub(super) async fn logs_in(store: &dyn BlobStore, prefix: &str) -> Result<Vec<String>> {
    let wanted = format!("{}{prefix}", Layout::LOGS);
    let mut names: Vec<String> = Vec::new();
    let mut after = String::new();
    while let Some(blob) = store.list(&wanted, &after, 1).await?.pop() {
        let name = blob.key.strip_prefix(Layout::LOGS).and_then(|rest| rest.split_once('/'));
        after = match name {
            Some((name, _)) => {
                names.push(name.to_owned());
                Layout::behind_log(name)
            }
            None => blob.key,
        };
    }
    Ok(names)
}

/// Makes a repository. The key comes first: a header without its key could never be opened.
async fn create(store: &dyn BlobStore, options: &RepositoryOptions, context: &JobContext) -> Result<Header> {
    let encryption = match &options.key {
        Some(key) => {
            let data_key = DataKey::generate(&*context.entropy).store(key, store).await?;
            Some(Encryption { cipher: CipherName::Aes256Gcm, data_key: data_key.fingerprint() })
        }
        None => None,
    };
    let header = Header::new(Id::new(context.now(), &*context.entropy), context.now(), encryption);
    match store.create(Layout::HEADER, super::catalog::to_json(&header)?).await {
        Ok(()) => Ok(header),
        // Somebody else was faster, or an earlier attempt of ours was recorded after all.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Header::parse(&store.get(Layout::HEADER).await?, store.location())
        }
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("location", &self.location()).field("id", &self.id).finish()
    }
}
