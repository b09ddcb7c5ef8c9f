//! What a token must be.

use std::time::Duration;

use super::KeyAlgorithm;

/// What a token must be to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRules {
    /// Who must have issued it, if anybody.
    pub issuer: Option<String>,
    /// For whom it must be, if anybody.
    pub audience: Option<String>,
    /// How it may be signed.
    pub algorithms: Vec<KeyAlgorithm>,
    /// How far its times may be off.
    pub leeway: Duration,
}

impl Default for TokenRules {
    /// Any issuer and audience, signed by Ed25519 or ES256, times off by at most a minute.
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            algorithms: vec![KeyAlgorithm::Ed25519, KeyAlgorithm::Es256],
            leeway: Duration::from_secs(60),
        }
    }
}

impl TokenRules {
    /// Of this issuer only.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// For this audience only.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Signed by these algorithms only.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: impl Into<Vec<KeyAlgorithm>>) -> Self {
        self.algorithms = algorithms.into();
        self
    }

    /// Times off by so much.
    #[must_use]
    pub const fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }
}
