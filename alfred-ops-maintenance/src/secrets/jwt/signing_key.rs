//! One key that signs.

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use super::KeyAlgorithm;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const LINE_BYTES: usize = 64;
/// As strong as the curves of the others.
const RSA_SIZE: KeySize = KeySize::Rsa3072;
/// What PKCS#8 puts before an RSA key, after its own length: version 0, `rsaEncryption` without parameters.
const RSA_ALGORITHM: [u8; 18] =
    [0x02, 0x01, 0, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0];

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
        let text = generated(algorithm).map_err(|_| {
            Error::new(ErrorKind::Internal, "make signing key", "the cryptography library refused")
        })?;
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

    /// Reads a private key of any algorithm.
    pub(super) fn read(secret: &Secret) -> Result<Self> {
        let body = secret.expose().trim().strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
        let der = body
            .map(|body| body.split_ascii_whitespace().collect::<String>())
            .and_then(|body| STANDARD.decode(body).ok())
            .ok_or_else(|| unreadable("it is not a private key in PEM"))?;
        let all = [KeyAlgorithm::Ed25519, KeyAlgorithm::Es256, KeyAlgorithm::Rs256];
        let found = all.into_iter().find_map(|algorithm| {
            let key = match algorithm {
                KeyAlgorithm::Ed25519 => EncodingKey::from_ed_der(&der),
                KeyAlgorithm::Es256 => EncodingKey::from_ec_der(&der),
                KeyAlgorithm::Rs256 => EncodingKey::from_rsa_der(rsa_within(&der)?),
            };
            Jwk::from_encoding_key(&key, algorithm.of_token()).ok().map(|public| (algorithm, key, public))
        });
        let (algorithm, key, mut public) =
            found.ok_or_else(|| unreadable("it is neither Ed25519 nor P-256 nor RSA"))?;
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
        "keep an Ed25519, P-256 or RSA key as PKCS#8 in PEM under this name, or let the care make one",
    )
}

/// A new key as PKCS#8 in base64.
fn generated(algorithm: KeyAlgorithm) -> std::result::Result<String, Unspecified> {
    let random = SystemRandom::new();
    Ok(match algorithm {
        KeyAlgorithm::Ed25519 => STANDARD.encode(Ed25519KeyPair::generate_pkcs8v1(&random)?),
        KeyAlgorithm::Es256 => {
            STANDARD.encode(EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?)
        }
        KeyAlgorithm::Rs256 => {
            let document: Pkcs8V1Der<'_> = RsaKeyPair::generate(RSA_SIZE)?.as_der()?;
            STANDARD.encode(&*document)
        }
    })
}

/// The RSA key within a PKCS#8 document: our library of tokens reads that alone. None if it is something else, or of under
/// 2048 bits.
fn rsa_within(der: &[u8]) -> Option<&[u8]> {
    RsaKeyPair::from_pkcs8(der).ok()?;
    // Lengths of such keys take two bytes each: a tag, how many bytes the length has, and these.
    let rest = der.get(4..)?.strip_prefix(&RSA_ALGORITHM)?.strip_prefix(&[0x04, 0x82])?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
