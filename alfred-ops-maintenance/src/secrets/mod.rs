//! Secrets: where they are kept, and how they are changed without a moment in which none is valid.

mod active_secret;
mod api_keys;
mod env_secrets;
mod file_secrets;
#[cfg(feature = "google-secrets")]
mod google_secrets;
#[cfg(feature = "jwt")]
mod jwt;
mod memory_secrets;
#[cfg(feature = "postgres-passwords")]
mod passwords;
mod refreshed;
mod rotation;
mod secret_drawer;
mod store;
mod version;

pub use active_secret::ActiveSecret;
pub use api_keys::{ApiKeyIssuer, ApiKeys, IssuedKey};
pub use env_secrets::EnvSecrets;
pub use file_secrets::FileSecrets;
#[cfg(feature = "google-secrets")]
pub use google_secrets::GoogleSecrets;
#[cfg(feature = "jwks-http")]
pub use jwt::JwksEndpoint;
#[cfg(feature = "jwt")]
pub use jwt::{JwksDocument, JwksSource, JwtKeys, KeyAlgorithm, SigningKeys, TokenRules, Verifier};
pub use memory_secrets::MemorySecrets;
#[cfg(feature = "postgres-passwords")]
pub use passwords::{DatabaseLogin, DatabaseLogins};
pub use rotation::{
    Generation, MadeSecret, PastGeneration, Phase, RotationBook, RotationFacts, RotationForecast,
    RotationPlan, RotationPolicy, RotationReason, RotationRecord, RotationStep, SecretCare, SecretKind,
    forecast_rotation, plan_rotation,
};
pub use store::SecretStore;
pub use version::{SecretVersion, SecretView, VersionState};
