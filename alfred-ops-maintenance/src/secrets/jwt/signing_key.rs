//! One key that signs.

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use super::KeyAlgorithm;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const LINE_BYTES: usize = 64;

/// One key that signs. Its id is the thumbprint of its public half (RFC 7638), so that the key alone says it.
#[derive(Debug, Clone)]
pub(super) struct SigningKey {
    pub(super) id: String,
    pub(super) public: Jwk,
    algorithm: KeyAlgorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// A new key as it is kept: PKCS#8 in PEM.
    pub(super) fn make(algorithm: KeyAlgorithm) -> Result<Secret> {
        let random = SystemRandom::new();
        let document = match algorithm {
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
            KeyAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            KeyAlgorithm::Rs256 => return Err(only_verified()),
        };
        let document = document.map_err(|_| {
            Error::new(ErrorKind::Internal, "make signing key", "the cryptography library refused")
        })?;
        let text = STANDARD.encode(document.as_ref());
        let mut pem = String::with_capacity(text.len() + 80);
        pem.push_str(BEGIN);
        for line in text.as_bytes().chunks(LINE_BYTES) {
            pem.push('\n');
            pem.push_str(&String::from_utf8_lossy(line));
        }
        pem.push('\n');
        pem.push_str(END);
        pem.push('\n');
        Ok(Secret::new(pem))
    }

    /// Reads a private key of one of the two algorithms that sign.
    pub(super) fn read(secret: &Secret) -> Result<Self> {
        let body = secret.expose().trim().strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
        let der = body
            .map(|body| body.split_ascii_whitespace().collect::<String>())
            .and_then(|body| STANDARD.decode(body).ok())
            .ok_or_else(|| unreadable("it is not a private key in PEM"))?;
        let found = [KeyAlgorithm::Ed25519, KeyAlgorithm::Es256].into_iter().find_map(|algorithm| {
            let key = match algorithm {
                KeyAlgorithm::Ed25519 => EncodingKey::from_ed_der(&der),
                _ => EncodingKey::from_ec_der(&der),
            };
            Jwk::from_encoding_key(&key, algorithm.of_token()).ok().map(|public| (algorithm, key, public))
        });
        let (algorithm, key, mut public) =
            found.ok_or_else(|| unreadable("it is neither Ed25519 nor P-256"))?;
        let id =
            public.thumbprint(ThumbprintHash::SHA256).map_err(|_| unreadable("its public half is odd"))?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { id, public, algorithm, key })
    }

    pub(super) fn sign<T: Serialize>(&self, claims: &T) -> Result<String> {
        let mut header = Header::new(self.algorithm.of_token());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "sign token", "the claims cannot be signed")
                .with_target(self.id.clone())
                .with_source(source)
        })
    }
}

fn unreadable(fault: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "read signing key", fault).with_remedy(
        "keep an Ed25519 or P-256 key as PKCS#8 in PEM under this name, or let the care make one",
    )
}

fn only_verified() -> Error {
    Error::new(ErrorKind::Unsupported, "make signing key", "algorithm: RS256 keys are only verified")
        .with_remedy("sign by Ed25519 or ES256")
}
