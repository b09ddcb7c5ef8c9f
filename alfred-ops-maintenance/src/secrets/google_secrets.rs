//! Secrets in Google Secret Manager.

use std::fmt;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_secretmanager_v1::client::SecretManagerService;
use google_cloud_secretmanager_v1::model;
use google_cloud_wkt::FieldMask;
use rustls::crypto::CryptoProvider;

use super::store::{check_name, check_pointable, check_value};
use super::{SecretStore, SecretVersion, SecretView, VersionState};

const STORE: &str = "google";
/// The version that is to be used now has this alias, by which programs in any language read it.
const ACTIVE: &str = "active";
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Google's limit on one page.
const PAGE: i32 = 25_000;
/// What who reads needs, and no more: a reader that could change secrets could change all that others read.
const READS_DENIED: &str = "grant the host's service account roles/secretmanager.secretAccessor and roles/secretmanager.viewer on the secret";
const CHANGES_DENIED: &str = "grant the host's service account roles/secretmanager.admin on the secret";
const READ: &str = "read secret";
const LOOK: &str = "look at secret";
const CREDENTIALS: &str = "give the host application default credentials";

/// Secrets in Google Secret Manager: the version with the alias `active` is the one to be used now.
///
/// Secrets are replicated as Google chooses unless somebody made them before. A failed request is not repeated here. Aliases
/// change by compare-and-set; but Google does not bind a version's state to them, so whoever disables a version while another
/// makes it the active one is not refused: leave both to one caretaker, as `SecretCare` does by its lease.
pub struct GoogleSecrets {
    client: SecretManagerService,
    project: String,
}

impl fmt::Debug for GoogleSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleSecrets").field("project", &self.project).finish_non_exhaustive()
    }
}

impl GoogleSecrets {
    /// The secrets of a project, with the host's application default credentials. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a project that is empty or holds a `/`; [`ErrorKind::PermissionDenied`] without
    /// credentials.
    pub async fn connect(project: &str) -> Result<Self> {
        Self::open(project, None).await
    }

    /// The secrets of a project on another server, such as `http://127.0.0.1:9000`, asked without credentials.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect).
    pub async fn connect_to(project: &str, endpoint: &str) -> Result<Self> {
        Self::open(project, Some(endpoint)).await
    }

    async fn open(project: &str, endpoint: Option<&str>) -> Result<Self> {
        const OPERATION: &str = "connect to Secret Manager";
        if project.is_empty() || project.contains('/') {
            let fault = format!("project: {project:?} is no name");
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, fault)
                .with_remedy("give the project's id, without slashes"));
        }
        if CryptoProvider::get_default().is_none() {
            // A host that installs its own at this very moment has won, which is as good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let mut builder =
            SecretManagerService::builder().with_retry_policy(NeverRetry).with_attempt_timeout(REQUEST_LIMIT);
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build());
        }
        let client = builder.build().await.map_err(|source| {
            Error::new(ErrorKind::PermissionDenied, OPERATION, "the client cannot be built")
                .with_target(project)
                .with_remedy(CREDENTIALS)
                .with_source(source)
        })?;
        Ok(Self { client, project: format!("projects/{project}") })
    }

    fn path(&self, secret: &str) -> String {
        format!("{}/secrets/{secret}", self.project)
    }

    fn version_path(&self, secret: &str, version: u64) -> String {
        format!("{}/versions/{version}", self.path(secret))
    }

    /// The secret and its view, if it exists.
    async fn find(
        &self,
        operation: &'static str,
        secret: &str,
    ) -> Result<Option<(model::Secret, SecretView)>> {
        let path = self.path(secret);
        let failed = |error| failure(operation, &path, ErrorKind::Internal, error);
        let found = match self.client.get_secret().set_name(&path).send().await.map_err(failed) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        let mut versions = Vec::new();
        let mut pages = self.client.list_secret_versions().set_parent(&path).set_page_size(PAGE).by_item();
        while let Some(version) = pages.next().await {
            versions.push(read_version(&version.map_err(failed)?)?);
        }
        versions.sort_unstable_by_key(|version| version.number);
        let active = found.version_aliases.get(ACTIVE).and_then(|number| u64::try_from(*number).ok());
        let view = SecretView::new(versions, active, &found.etag);
        Ok(Some((found, view)))
    }

    async fn add_version(&self, path: &str, value: &Secret) -> Result<u64> {
        let payload = model::SecretPayload::new().set_data(value.expose().as_bytes().to_vec());
        let added = self.client.add_secret_version().set_parent(path).set_payload(payload).send().await;
        let added =
            added.map_err(|error| failure("add secret version", path, ErrorKind::InvalidInput, error))?;
        Ok(read_version(&added)?.number)
    }
}

#[async_trait]
impl SecretStore for GoogleSecrets {
    fn name(&self) -> &str {
        STORE
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        check_name(LOOK, secret)?;
        Ok(self.find(LOOK, secret).await?.map(|(_, view)| view).unwrap_or_default())
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        const OPERATION: &str = READ;
        check_name(OPERATION, secret)?;
        let path = self.version_path(secret, version);
        let answer = self.client.access_secret_version().set_name(&path).send().await;
        let answer = answer.map_err(|error| failure(OPERATION, &path, ErrorKind::Unsupported, error))?;
        let data = answer.payload.map(|payload| payload.data.to_vec()).unwrap_or_default();
        String::from_utf8(data)
            .map(Secret::new)
            .map_err(|_| Error::new(ErrorKind::Corrupt, OPERATION, "its value is no text").with_target(&path))
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        check_name("add secret version", secret)?;
        check_value(secret, value)?;
        let path = self.path(secret);
        match self.add_version(&path, value).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            added => return added,
        }
        let replication = model::Replication::new().set_automatic(model::replication::Automatic::new());
        let made = self
            .client
            .create_secret()
            .set_parent(&self.project)
            .set_secret_id(secret)
            .set_secret(model::Secret::new().set_replication(replication))
            .send()
            .await;
        match made.map_err(|error| failure("make secret", &path, ErrorKind::InvalidInput, error)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.add_version(&path, value).await,
        }
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        const OPERATION: &str = "change secret version";
        check_name(OPERATION, secret)?;
        let path = self.version_path(secret, version);
        let failed = |error| failure(OPERATION, &path, ErrorKind::Conflict, error);
        // The etag is read before the state is judged, so that a change in between is a conflict.
        let etag = match self.client.get_secret_version().set_name(&path).send().await.map_err(failed) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            found => found?.etag,
        };
        let view = self.look(secret).await?;
        if !view.judge(STORE, secret, version, state)? {
            return Ok(());
        }
        let client = &self.client;
        let changed = match state {
            VersionState::Enabled => {
                client.enable_secret_version().set_name(&path).set_etag(etag).send().await
            }
            VersionState::Disabled => {
                client.disable_secret_version().set_name(&path).set_etag(etag).send().await
            }
            VersionState::Destroyed => {
                client.destroy_secret_version().set_name(&path).set_etag(etag).send().await
            }
        };
        changed.map(|_| ()).map_err(failed)
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        const OPERATION: &str = "make secret version active";
        check_name(OPERATION, secret)?;
        let found = self.find(OPERATION, secret).await?;
        let (found, view) = found.unwrap_or_default();
        check_pointable(STORE, secret, version, &view, revision)?;
        let path = self.path(secret);
        let mut aliases = found.version_aliases;
        aliases.insert(ACTIVE.to_owned(), i64::try_from(version).unwrap_or(i64::MAX));
        let change = model::Secret::new().set_name(&path).set_etag(revision).set_version_aliases(aliases);
        let mask = FieldMask::default().set_paths(["versionAliases"]);
        let changed = self.client.update_secret().set_secret(change).set_update_mask(mask).send().await;
        changed.map(|_| ()).map_err(|error| failure(OPERATION, &path, ErrorKind::Conflict, error))
    }
}

fn read_version(version: &model::SecretVersion) -> Result<SecretVersion> {
    use model::secret_version::State;
    let odd = |fault: &'static str| {
        Error::new(ErrorKind::Corrupt, "read secret version", fault).with_target(&version.name)
    };
    let number = version.name.rsplit('/').next().and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| odd("its name ends in no number"))?;
    let state = match version.state {
        State::Enabled => VersionState::Enabled,
        State::Disabled => VersionState::Disabled,
        State::Destroyed => VersionState::Destroyed,
        _ => return Err(odd("its state is unknown")),
    };
    let at: Option<DateTime<Utc>> =
        version.create_time.as_ref().and_then(|time| DateTime::from_timestamp(time.seconds(), 0));
    Ok(SecretVersion::new(number, state, at.unwrap_or_default()))
}

/// Classifies an error; what a failed precondition means depends on the request. No message of the API is passed on, and the
/// client's errors hold no request.
fn failure(
    operation: &'static str,
    target: &str,
    precondition: ErrorKind,
    error: google_cloud_gax::error::Error,
) -> Error {
    let code = error.status().map(|status| status.code);
    let (kind, fault, remedy) = match (code, error.http_status_code()) {
        (Some(Code::NotFound), _) | (None, Some(404)) => {
            (ErrorKind::NotFound, "there is no such secret or version", "check project, secret and version")
        }
        (Some(Code::AlreadyExists), _) => (ErrorKind::AlreadyExists, "it exists already", "use it"),
        (Some(Code::Aborted), _) | (None, Some(409)) => {
            (ErrorKind::Conflict, "it was changed meanwhile", "look again and decide again")
        }
        (Some(Code::FailedPrecondition), _) => {
            (precondition, "it is not in the state for that", "look at its state, and decide again")
        }
        (Some(Code::Unauthenticated), _) | (None, Some(401)) => {
            (ErrorKind::PermissionDenied, "the credentials are not accepted", CREDENTIALS)
        }
        (Some(Code::PermissionDenied), _) | (None, Some(403)) => {
            let denied = if [READ, LOOK].contains(&operation) { READS_DENIED } else { CHANGES_DENIED };
            (ErrorKind::PermissionDenied, "the caller may not do that", denied)
        }
        (Some(Code::InvalidArgument | Code::OutOfRange), _) | (None, Some(400)) => {
            (ErrorKind::InvalidInput, "the API refuses the request", "check project and secret")
        }
        (Some(Code::ResourceExhausted | Code::Unavailable), _) | (None, Some(429 | 503)) => {
            (ErrorKind::Unavailable, "the API is overloaded or its quota used up", "wait, or raise the quota")
        }
        _ if error.is_authentication() => {
            (ErrorKind::PermissionDenied, "there are no usable credentials", CREDENTIALS)
        }
        _ if error.is_connect() => {
            (ErrorKind::Unavailable, "the API cannot be reached", "check the endpoint and the network")
        }
        _ => (ErrorKind::Timeout, "no answer, or one on the way failed", "look before a repeat"),
    };
    Error::new(kind, operation, fault).with_target(target).with_remedy(remedy).with_source(error)
}
