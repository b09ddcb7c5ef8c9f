//! How tokens are signed.

use jsonwebtoken::Algorithm;

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// `EdDSA` with Ed25519: small and fast.
    Ed25519,
    /// `ES256`: ECDSA with P-256, for verifiers that do not know Ed25519.
    Es256,
    /// `RS256`: RSA with SHA-256, our keys of 3072 bits, for verifiers that know nothing else: large and slow to sign.
    Rs256,
}

impl KeyAlgorithm {
    pub(super) const fn of_token(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}
