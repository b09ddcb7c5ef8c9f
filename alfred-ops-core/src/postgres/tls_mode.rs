//! How a connection to Postgres is protected.

use std::path::PathBuf;

use crate::{Error, ErrorKind};

/// How a connection to Postgres is protected. The names are libpq's `sslmode` values; its opportunistic
/// modes (`allow`, `prefer`) are refused, since they protect nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TlsMode {
    /// Plain text. Only for loopback and Unix sockets.
    #[default]
    Disable,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, and the certificate is for the host's name and signed by a trusted authority.
    VerifyFull {
        /// A PEM file of the trusted authorities; the system's where absent.
        root_certificates: Option<PathBuf>,
    },
}

impl TlsMode {
    pub(super) fn from_sslmode(mode: &str, root_certificates: Option<PathBuf>) -> Result<Self, Error> {
        match mode {
            "disable" => Ok(Self::Disable),
            "require" if root_certificates.is_none() => Ok(Self::Require),
            // As in libpq, a root certificate turns `require` into a verification.
            "require" | "verify-ca" | "verify-full" => Ok(Self::VerifyFull { root_certificates }),
            other => Err(Error::new(
                ErrorKind::InvalidInput,
                "read Postgres URL",
                format!("sslmode {other:?} is not supported"),
            )
            .with_remedy("use disable, require or verify-full")),
        }
    }

    pub(super) const fn sslmode(&self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyFull { .. } => "verify-full",
        }
    }
}
