//! Keys that sign tokens, and whoever verifies those.

mod jwks;
#[cfg(feature = "jwks-http")]
mod jwks_endpoint;
mod jwt_keys;
mod key_algorithm;
mod key_set;
mod signing_key;
mod signing_keys;
mod token_rules;
mod verifier;

pub use jwks::{JwksDocument, JwksSource};
#[cfg(feature = "jwks-http")]
pub use jwks_endpoint::JwksEndpoint;
pub use jwt_keys::JwtKeys;
pub use key_algorithm::KeyAlgorithm;
pub use signing_keys::SigningKeys;
pub use token_rules::TokenRules;
pub use verifier::Verifier;
