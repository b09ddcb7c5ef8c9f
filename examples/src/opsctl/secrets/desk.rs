//! All that a question about secrets needs.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, MemoryStateStore, Result, StateStore};
use alfred_ops_maintenance::{
    ApiKeys, Caretaker, DatabaseLogins, FileSecrets, GoogleSecrets, JwtKeys, MemorySecrets, RotationBook,
    SecretCare, SecretKind, SecretStore, SigningKeys,
};

use super::command::Care;
use super::config::{KindConfig, SecretConfig, SecretsConfig, StoreConfig};
use super::program_issuer::ProgramIssuer;
use crate::opsctl::config_file::read_config;
use crate::opsctl::program::Program;
use crate::opsctl::server::with_password;

/// A caretaker of a secret of any kind.
pub(super) type AnyCaretaker = Caretaker<SecretCare<Arc<dyn SecretKind>>>;

/// The configuration, and the two stores that it names.
pub(super) struct Desk<'a> {
    pub(super) config: SecretsConfig,
    pub(super) store: Arc<dyn SecretStore>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) context: &'a JobContext,
}

impl<'a> Desk<'a> {
    /// For a plan before the first run: what is not there is empty, and is not made.
    pub(super) async fn to_plan(care: &Care, context: &'a JobContext) -> Result<Self> {
        let config: SecretsConfig = read_config(&care.config)?;
        let store: Arc<dyn SecretStore> = match &config.store {
            StoreConfig::Files(folder) if !folder.exists() => {
                Arc::new(MemorySecrets::new(Arc::clone(&context.clock)))
            }
            store => open_store(store, context).await?,
        };
        let state: Arc<dyn StateStore> = match care.state.must_exist() {
            Ok(()) => care.state.open(&context.clock).await?,
            Err(_) => Arc::new(MemoryStateStore::default()),
        };
        Ok(Self { config, store, state, context })
    }

    /// For questions: what is not there is an error, and is not made.
    pub(super) async fn to_look(care: &Care, context: &'a JobContext) -> Result<Self> {
        let config: SecretsConfig = read_config(&care.config)?;
        if let StoreConfig::Files(folder) = &config.store
            && !folder.is_dir()
        {
            return Err(Error::new(ErrorKind::NotFound, "open secrets", "there is no such folder")
                .with_target(folder.display().to_string())
                .with_remedy("check the path; the first run makes it"));
        }
        care.state.must_exist()?;
        Self::open(config, care, context).await
    }

    /// For a run, which makes what is not there.
    pub(super) async fn to_work(care: &Care, context: &'a JobContext) -> Result<Self> {
        Self::open(read_config(&care.config)?, care, context).await
    }

    async fn open(config: SecretsConfig, care: &Care, context: &'a JobContext) -> Result<Self> {
        let store = open_store(&config.store, context).await?;
        let state = care.state.open(&context.clock).await?;
        Ok(Self { config, store, state, context })
    }

    /// Those of these names, in the order of the file; all without a name.
    pub(super) fn chosen(&self, names: &[String]) -> Result<Vec<&SecretConfig>> {
        for name in names {
            self.find(name)?;
        }
        let is_chosen = |secret: &&SecretConfig| names.is_empty() || names.contains(&secret.name);
        Ok(self.config.secrets.iter().filter(is_chosen).collect())
    }

    pub(super) fn find(&self, name: &str) -> Result<&SecretConfig> {
        self.config.secrets.iter().find(|secret| secret.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.config.secrets.iter().map(|secret| secret.name.as_str()).collect();
            Error::new(ErrorKind::NotFound, "find secret", format!("the configuration has no {name:?}"))
                .with_remedy(format!("use one of {}", known.join(", ")))
        })
    }

    pub(super) fn book(&self, secret: &SecretConfig) -> RotationBook {
        RotationBook::new(Arc::clone(&self.state), &secret.name)
    }

    pub(super) fn caretaker(&self, secret: &SecretConfig) -> Result<AnyCaretaker> {
        let kind: Arc<dyn SecretKind> = match &secret.kind {
            KindConfig::ApiKey { command } => {
                let program = Program::new(command.clone(), Arc::clone(&self.context.clock))?;
                Arc::new(ApiKeys::new(Arc::new(ProgramIssuer::new(program))))
            }
            KindConfig::Jwt { algorithm } => Arc::new(JwtKeys::new(*algorithm)?),
            KindConfig::DatabaseLogin { server, role, users: [one, other] } => {
                Arc::new(DatabaseLogins::new(with_password(server), role, [one, other])?)
            }
        };
        let (store, state) = (Arc::clone(&self.store), Arc::clone(&self.state));
        let care = SecretCare::new(&secret.name, store, kind, secret.policy.clone(), state);
        care.and_then(|care| care.caretaker().build()).map_err(|error| error.with_target(&secret.name))
    }

    /// The signing keys of this name, or the only ones.
    pub(super) fn signing_keys(&self, name: Option<&str>) -> Result<SigningKeys> {
        let secret = match name {
            Some(name) => self.find(name)?,
            None => {
                let is_jwt = |secret: &&SecretConfig| matches!(secret.kind, KindConfig::Jwt { .. });
                let mut found = self.config.secrets.iter().filter(is_jwt);
                match (found.next(), found.next()) {
                    (Some(secret), None) => secret,
                    (first, _) => {
                        let what = if first.is_some() { "there are several" } else { "there are none" };
                        return Err(Error::new(ErrorKind::InvalidInput, "find signing keys", what)
                            .with_remedy("name a secret of the kind jwt"));
                    }
                }
            }
        };
        if !matches!(secret.kind, KindConfig::Jwt { .. }) {
            let what = format!("it is of the kind {}, which has nothing public", secret.kind.name());
            return Err(Error::new(ErrorKind::InvalidInput, "find signing keys", what)
                .with_target(&secret.name)
                .with_remedy("name a secret of the kind jwt"));
        }
        let (store, book) = (Arc::clone(&self.store), self.book(secret));
        Ok(SigningKeys::new(&secret.name, store, book, &secret.policy, Arc::clone(&self.context.clock)))
    }
}

async fn open_store(config: &StoreConfig, context: &JobContext) -> Result<Arc<dyn SecretStore>> {
    Ok(match config {
        StoreConfig::Files(folder) => Arc::new(FileSecrets::open(folder, Arc::clone(&context.clock))?),
        StoreConfig::Google { project, endpoint: None } => Arc::new(GoogleSecrets::connect(project).await?),
        StoreConfig::Google { project, endpoint: Some(endpoint) } => {
            Arc::new(GoogleSecrets::connect_to(project, endpoint).await?)
        }
    })
}
