//! The keys of one document.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Result};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm as JwkAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::{JwksDocument, KeyAlgorithm};

/// Larger documents and tokens are nobody's honest ones.
pub(super) const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The keys of one document by their ids.
#[derive(Debug, Default)]
pub(super) struct KeySet(BTreeMap<String, Key>);

#[derive(Debug)]
struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// Why a token was not verified.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The set has no such key; a newer one may.
    UnknownKey,
    /// It is no good token.
    Bad(&'static str),
}

impl KeySet {
    /// Keys that cannot verify anything here are left out, as RFC 7517 has it.
    pub(super) fn read(document: &JwksDocument) -> Result<Self> {
        if document.body.len() > DOCUMENT_BYTES_MAX {
            return Err(malformed("it is larger than 256 KiB"));
        }
        let parsed: Document = serde_json::from_str(&document.body)
            .map_err(|source| malformed("it is not a JWK set").with_source(source))?;
        let keys = parsed.keys.into_iter().filter_map(|value| serde_json::from_value(value).ok());
        Ok(Self(keys.filter_map(|jwk: Jwk| Key::read(&jwk)).collect()))
    }

    /// The claims of a token whose signature is good. Times are not looked at.
    pub(super) fn claims(&self, token: &str, algorithms: &[KeyAlgorithm]) -> Result<Value, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Bad("it is larger than 16 KiB"));
        }
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| Refusal::Bad("it is not a signed token"))?;
        if !algorithms.iter().any(|allowed| allowed.of_token() == header.alg) {
            return Err(Refusal::Bad("its algorithm is not allowed"));
        }
        let id = header.kid.ok_or(Refusal::Bad("it does not name its key"))?;
        let key = self.0.get(&id).ok_or(Refusal::UnknownKey)?;
        if key.algorithm != header.alg {
            return Err(Refusal::Bad("its key is of another algorithm"));
        }
        let mut validation = Validation::new(key.algorithm);
        // Times are judged by the clock that was injected, and names by the rules.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let data = jsonwebtoken::decode::<Value>(token, &key.key, &validation)
            .map_err(|_| Refusal::Bad("its signature is wrong"))?;
        Ok(data.claims)
    }

    pub(super) fn check(&self, token: &str, algorithms: &[KeyAlgorithm]) -> Result<Value> {
        self.claims(token, algorithms).map_err(|refusal| refusal.into_error())
    }
}

impl Key {
    fn read(jwk: &Jwk) -> Option<(String, Self)> {
        let named = match jwk.common.key_algorithm {
            Some(JwkAlgorithm::EdDSA) => Algorithm::EdDSA,
            Some(JwkAlgorithm::ES256) => Algorithm::ES256,
            Some(JwkAlgorithm::RS256) => Algorithm::RS256,
            Some(_) => return None,
            None => usual(&jwk.algorithm)?,
        };
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        // A document must not have us verify by what it calls a shared secret.
        if key.family() != named.family() {
            return None;
        }
        Some((jwk.common.key_id.clone()?, Self { algorithm: named, key }))
    }
}

/// What a key is for that does not say it, as none must (RFC 7517 §4.4): of what we know only one thing fits each.
fn usual(parameters: &AlgorithmParameters) -> Option<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

impl Refusal {
    pub(super) fn into_error(self) -> Error {
        let fault = match self {
            Self::UnknownKey => "its key is not published",
            Self::Bad(fault) => fault,
        };
        Error::new(ErrorKind::PermissionDenied, "verify token", fault)
    }
}

fn malformed(fault: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, "read key set", fault)
}
