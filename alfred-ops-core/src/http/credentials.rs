//! What proves who we are, and whom we believe.

use std::path::PathBuf;

use crate::Secret;

/// A secret text, or the file in which it lies. A file is read anew for each use, so that it may be replaced.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The secret itself.
    Inline(Secret),
    /// Where it lies; a line break at its end does not count.
    File(PathBuf),
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => one.expose() == other.expose(),
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
        }
    }
}

/// How we say who we are.
// Not `non_exhaustive`: whoever writes options down must notice a further way.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// By name and password.
    Basic {
        /// The name, or where it lies.
        username: Credential,
        /// The password.
        password: Option<Credential>,
    },
    /// By an `Authorization` header.
    Header {
        /// Its first word, such as `Bearer`.
        kind: String,
        /// The rest.
        credentials: Option<Credential>,
    },
}

/// Whom we believe, and by what certificate we are known.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TlsOptions {
    /// The authorities that are believed, in PEM; those of the system if there are none.
    pub authorities: Option<Credential>,
    /// Our certificate, in PEM.
    pub certificate: Option<Credential>,
    /// Its key, in PEM.
    pub key: Option<Credential>,
    /// The name that the target's certificate must carry, if not that of its address.
    pub server_name: Option<String>,
    /// Whether any certificate is believed.
    pub insecure_skip_verify: bool,
}
