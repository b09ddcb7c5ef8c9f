//! Where a Postgres server is and as whom to log in.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::TlsMode;
use crate::{Error, ErrorKind, Secret};

const DEFAULT_PORT: u16 = 5432;

/// Where a Postgres server is and as whom to log in.
///
/// `Display` is a URL without the password, fit for logs and errors.
///
/// ```
/// use alfred_ops_core::PostgresOptions;
///
/// let options: PostgresOptions = "postgres://ops:s3cret@db.internal/alfred?sslmode=verify-full".parse()?;
/// assert_eq!(options.to_string(), "postgres://ops@db.internal:5432/alfred");
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// A host name, an address, or the absolute folder of a Unix socket.
    pub host: String,
    /// The TCP port, or the number in the socket's name.
    pub port: u16,
    /// The role to log in as.
    pub user: String,
    /// The role's password, where the server asks for one.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// What the server shows as `application_name`.
    pub application_name: String,
}

impl PostgresOptions {
    /// Options for `user` at `host`, without password or TLS, port 5432, database `postgres`.
    #[must_use]
    pub fn new(host: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: DEFAULT_PORT,
            user: user.into(),
            password: None,
            database: "postgres".to_owned(),
            tls: TlsMode::Disable,
            application_name: "alfred-ops".to_owned(),
        }
    }

    /// The same server on another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same server and another role.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>, password: Option<Secret>) -> Self {
        self.user = user.into();
        self.password = password;
        self
    }

    /// Another database of the same server.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = database.into();
        self
    }

    /// The same server, protected in another way.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsMode) -> Self {
        self.tls = tls;
        self
    }

    /// The same, under another `application_name`.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// The complete URL, password included, for a driver that takes one.
    #[must_use]
    pub fn to_url(&self) -> Secret {
        let mut url = String::from("postgres://");
        url.push_str(&encode(&self.user));
        if let Some(password) = &self.password {
            url.push(':');
            url.push_str(&encode(password.expose()));
        }
        url.push_str(&format!(
            "@{}:{}/{}?sslmode={}&application_name={}",
            if self.host.starts_with('/') { encode(&self.host) } else { self.host.clone() },
            self.port,
            encode(&self.database),
            self.tls.sslmode(),
            encode(&self.application_name)
        ));
        if let TlsMode::VerifyFull { root_certificates: Some(path) } = &self.tls {
            url.push_str("&sslrootcert=");
            url.push_str(&encode(&path.to_string_lossy()));
        }
        Secret::new(url)
    }
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn decode(text: &str) -> String {
    // `+` is an ordinary character outside of forms.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={text}").as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

impl fmt::Display for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl FromStr for PostgresOptions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Never the text itself in an error: it may hold a password.
        let bad = |what: String| {
            Error::new(ErrorKind::InvalidInput, "read Postgres URL", what)
                .with_remedy("write postgres://user:password@host:port/database?sslmode=verify-full")
        };
        let url = Url::parse(text).map_err(|error| bad(format!("it is not a URL: {error}")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(bad(format!("the scheme is {:?}", url.scheme())));
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| bad("the host is missing".into()))?;
        if url.username().is_empty() {
            return Err(bad("the user is missing".into()));
        }
        let mut options = Self::new(decode(host), decode(url.username()));
        options.port = url.port().unwrap_or(DEFAULT_PORT);
        options.password = url.password().map(|password| Secret::new(decode(password)));
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() {
            options.database = decode(database);
        }
        let mut sslmode = None;
        let mut root_certificates = None;
        for (key, value) in url.query_pairs() {
            match key.as_ref() {
                "sslmode" => sslmode = Some(value.into_owned()),
                "sslrootcert" => root_certificates = Some(PathBuf::from(value.as_ref())),
                "application_name" => options.application_name = value.into_owned(),
                other => return Err(bad(format!("the parameter {other:?} is unknown"))),
            }
        }
        if let Some(mode) = sslmode {
            options.tls = TlsMode::from_sslmode(&mode, root_certificates)?;
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_round_trips_with_every_part() {
        let text = "postgres://o%40ps:p%3Aw+d%2F@db.internal:6000/al%20fred?sslmode=verify-full&application_name=me&sslrootcert=%2Fca.pem";
        let options: PostgresOptions = text.parse().unwrap();
        assert_eq!(options.user, "o@ps");
        assert_eq!(options.password.as_ref().unwrap().expose(), "p:w+d/");
        assert_eq!(options.database, "al fred");
        assert_eq!(options.tls, TlsMode::VerifyFull { root_certificates: Some("/ca.pem".into()) });
        let again: PostgresOptions = options.to_url().expose().parse().unwrap();
        assert_eq!(again.to_url().expose(), options.to_url().expose());
        assert_eq!(again.password.unwrap().expose(), "p:w+d/");
    }

    #[test]
    fn mistakes_are_named_and_passwords_are_not() {
        for (text, wanted) in [
            ("mysql://a:hunter2@h/d", "scheme"),
            ("postgres://:hunter2@h/d", "user is missing"),
            ("postgres://a:hunter2@h/d?sslmode=prefer", "\"prefer\""),
            ("postgres://a:hunter2@h/d?sslmod=require", "\"sslmod\""),
        ] {
            let error = text.parse::<PostgresOptions>().unwrap_err().full();
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
