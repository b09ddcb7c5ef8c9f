//! A login as it is kept.

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result, Secret};
use serde::Deserialize;
use serde_json::json;

/// A login of a database, as the secret store keeps it: `{"user": …, "password": …}`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct DatabaseLogin {
    /// As whom.
    pub user: String,
    /// By this.
    pub password: Secret,
}

impl DatabaseLogin {
    /// A login.
    #[must_use]
    pub fn new(user: impl Into<String>, password: Secret) -> Self {
        Self { user: user.into(), password }
    }

    /// Reads what [`to_secret`](Self::to_secret) wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it is not a login.
    pub fn parse(secret: &Secret) -> Result<Self> {
        // Not as a source: the parser's error may quote the value.
        serde_json::from_str(secret.expose()).map_err(|_| {
            Error::new(
                ErrorKind::Unsupported,
                "read login",
                "the value is not a JSON object with user and password",
            )
        })
    }

    /// The login as one value.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        Secret::new(json!({ "user": self.user, "password": self.password.expose() }).to_string())
    }

    /// The server, with this login.
    #[must_use]
    pub fn at(&self, server: &PostgresOptions) -> PostgresOptions {
        server.clone().with_user(self.user.clone(), Some(self.password.clone()))
    }
}
