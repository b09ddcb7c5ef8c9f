//! Where the backups are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_backup::{
    BlobStore, LocalBlobStore, Repository, RepositoryKey, RepositoryOptions, S3BlobStore, S3Options,
};
use alfred_ops_core::{Error, ErrorKind, JobContext, Result, Secret, blocking};
use clap::Args;

/// Keeps these options apart from a command's own, since every command takes them.
const HEADING: &str = "Where the backups are";

/// Where the backups are.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The repository: s3://BUCKET/PREFIX or file:///FOLDER.
    #[arg(long, global = true, help_heading = HEADING, env = "ALFRED_OPS_REPOSITORY")]
    repository: Option<String>,
    /// A file with the key of an encrypted repository: 64 hexadecimal digits.
    #[arg(long, global = true, help_heading = HEADING, env = "ALFRED_OPS_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// The URL of an S3 server that is not AWS.
    #[arg(long, global = true, help_heading = HEADING, env = "AWS_ENDPOINT_URL")]
    endpoint: Option<String>,
    /// The bucket's region.
    #[arg(long, global = true, help_heading = HEADING, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
}

impl Place {
    /// Opens the repository and changes nothing.
    pub(super) async fn open(&self) -> Result<Repository> {
        Repository::open(self.existing_store().await?, self.options().await?).await
    }

    /// Opens the repository for writing, or makes it.
    pub(super) async fn open_or_create(&self, context: &JobContext) -> Result<Repository> {
        Repository::open_or_create(self.store().await?, self.options().await?, context).await
    }

    /// The same place, as arguments of another call. Credentials stay in the environment.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--region".to_owned(), self.region.clone()];
        let mut add = |name: &str, value: Option<String>| {
            arguments.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        add("--repository", self.repository.clone());
        add("--endpoint", self.endpoint.clone());
        let absolute = |file: &PathBuf| std::path::absolute(file).unwrap_or_else(|_| file.clone());
        add("--key-file", self.key_file.as_ref().map(|file| absolute(file).display().to_string()));
        arguments
    }

    pub(super) async fn options(&self) -> Result<RepositoryOptions> {
        Ok(match &self.key_file {
            Some(file) => RepositoryOptions::default().with_key(read_key(file.clone()).await?),
            None => RepositoryOptions::default(),
        })
    }

    /// The store that holds it. A folder that is not there is not made.
    pub(super) async fn existing_store(&self) -> Result<Arc<dyn BlobStore>> {
        let folder = self.repository.as_deref().and_then(|place| place.strip_prefix("file://"));
        if let Some(folder) = folder.filter(|folder| folder.starts_with('/') && !Path::new(folder).is_dir()) {
            return Err(Error::new(
                ErrorKind::NotFound,
                "open repository",
                "there is none, nor such a folder",
            )
            .with_target(folder.to_owned())
            .with_remedy("check the path, or take a first backup to make one"));
        }
        self.store().await
    }

    /// The store that holds it, or is to.
    pub(super) async fn store(&self) -> Result<Arc<dyn BlobStore>> {
        let place = self.repository.as_deref().unwrap_or_default();
        let remedy = "give --repository s3://BUCKET/PREFIX or file:///FOLDER, or set ALFRED_OPS_REPOSITORY";
        store_at(place, remedy, self.endpoint.as_deref(), &self.region, "").await
    }
}

/// The second store of a repair.
#[derive(Debug, Args)]
pub(super) struct SecondPlace {
    /// A copy of the repository: s3://BUCKET/PREFIX or file:///FOLDER. Credentials of a bucket come from
    /// ALFRED_OPS_FROM_AWS_ACCESS_KEY_ID, ALFRED_OPS_FROM_AWS_SECRET_ACCESS_KEY and, for temporary ones,
    /// ALFRED_OPS_FROM_AWS_SESSION_TOKEN; without them, from the same variables as the repository's.
    #[arg(long, env = "ALFRED_OPS_FROM")]
    from: String,
    /// The URL of the copy's S3 server, if it is not AWS.
    #[arg(long, env = "ALFRED_OPS_FROM_AWS_ENDPOINT_URL")]
    from_endpoint: Option<String>,
    /// The region of the copy's bucket.
    #[arg(long, env = "ALFRED_OPS_FROM_AWS_REGION", default_value = "us-east-1")]
    from_region: String,
}

impl SecondPlace {
    pub(super) async fn store(&self) -> Result<Arc<dyn BlobStore>> {
        let own = std::env::var_os("ALFRED_OPS_FROM_AWS_ACCESS_KEY_ID").is_some();
        let prefix = if own { "ALFRED_OPS_FROM_" } else { "" };
        let remedy = "give --from s3://BUCKET/PREFIX or file:///FOLDER";
        store_at(&self.from, remedy, self.from_endpoint.as_deref(), &self.from_region, prefix).await
    }
}

/// The store of that URL. The credentials of a bucket stand in variables that begin with `prefix`.
async fn store_at(
    place: &str,
    remedy: &'static str,
    endpoint: Option<&str>,
    region: &str,
    prefix: &str,
) -> Result<Arc<dyn BlobStore>> {
    if let Some(folder) = place.strip_prefix("file://").filter(|folder| folder.starts_with('/')) {
        return Ok(Arc::new(LocalBlobStore::open(folder).await?));
    }
    let Some(bucket) = place.strip_prefix("s3://").filter(|bucket| !bucket.is_empty()) else {
        let what = format!("{place:?} is no place of a repository");
        return Err(Error::new(ErrorKind::InvalidInput, "open repository", what).with_remedy(remedy));
    };
    let (bucket, folder) = bucket.split_once('/').unwrap_or((bucket, ""));
    let credential = |name: &str| variable(&format!("{prefix}{name}"));
    let mut options =
        S3Options::new(bucket, credential("AWS_ACCESS_KEY_ID")?, credential("AWS_SECRET_ACCESS_KEY")?)
            .with_prefix(folder)
            .with_region(region);
    if let Some(endpoint) = endpoint {
        options = options.with_endpoint(endpoint);
    }
    if let Ok(token) = credential("AWS_SESSION_TOKEN") {
        options = options.with_session_token(token);
    }
    Ok(Arc::new(S3BlobStore::connect(options).await?))
}

/// The key that a file holds.
pub(super) async fn read_key(file: PathBuf) -> Result<RepositoryKey> {
    let target = file.display().to_string();
    let text = blocking(move || std::fs::read_to_string(file)).await?.map_err(|source| {
        Error::new(ErrorKind::NotFound, "read repository key", "the file cannot be read")
            .with_target(target.clone())
            .with_source(source)
    })?;
    RepositoryKey::from_hex(&Secret::new(text)).map_err(|error| error.with_target(target))
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "open repository", format!("the variable {name} is not set"))
            .with_remedy("set the credentials of the bucket")
    })
}
