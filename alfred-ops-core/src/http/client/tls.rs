//! Whom a client believes, and by what certificate it is known.

use std::sync::Arc;

use crate::{Error, ErrorKind, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::http::{Credential, TlsOptions};

/// The set-up that these options ask for; nothing where they ask for nothing.
///
/// Reads files, so it must not be called where blocking matters.
pub(super) fn config(options: &TlsOptions) -> Result<Option<ClientConfig>> {
    if *options == TlsOptions::default() {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier::new(options, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| failed("tls_config", "no protocol version is available").with_source(source))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (Some(certificate), Some(key)) = (&options.certificate, &options.key) else {
        return Ok(Some(builder.with_no_client_auth()));
    };
    let chain = certificates(certificate, "cert")?;
    let key = PrivateKeyDer::from_pem_slice(&pem(key, "key")?)
        .map_err(|_| failed("key", "there is no private key in it").with_remedy("give a key in PEM"))?;
    let config = builder
        .with_client_auth_cert(chain, key)
        .map_err(|source| failed("cert", "certificate and key do not fit together").with_source(source))?;
    Ok(Some(config))
}

fn roots(authorities: Option<&Credential>) -> Result<RootCertStore> {
    let found = match authorities {
        Some(authorities) => certificates(authorities, "ca")?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let given = authorities.is_some();
    for certificate in found {
        // Of the system's own some may be unreadable; of those that were given, none.
        if let Err(source) = roots.add(certificate)
            && given
        {
            return Err(failed("ca", "a certificate is unusable").with_source(source));
        }
    }
    if roots.is_empty() {
        return Err(failed("ca", "there is no certificate").with_remedy("name a PEM file in ca_file"));
    }
    Ok(roots)
}

fn certificates(source: &Credential, field: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let pem = pem(source, field)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let remedy = "give certificates in PEM";
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(failed(field, "there is no certificate in it").with_remedy(remedy)),
        Err(_) => Err(failed(field, "it is not PEM").with_remedy(remedy)),
    }
}

fn pem(source: &Credential, field: &'static str) -> Result<Vec<u8>> {
    match source {
        Credential::Inline(text) => Ok(text.expose().as_bytes().to_vec()),
        Credential::File(path) => std::fs::read(path).map_err(|source| {
            failed(field, &format!("the file {} cannot be read", path.display())).with_source(source)
        }),
    }
}

fn failed(field: &'static str, what: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "set up TLS", what).with_target(format!("tls_config.{field}"))
}

/// Checks a server's certificate by the name that the options give, or not at all; that the server holds the
/// certificate's key is checked in any case.
#[derive(Debug)]
struct Verifier {
    trusted: Option<Arc<WebPkiServerVerifier>>,
    name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let name = options.server_name.clone().map(|name| {
            let shown = format!("{name:?} is no host");
            ServerName::try_from(name).map_err(|_| failed("server_name", &shown))
        });
        let trusted = if options.insecure_skip_verify {
            None
        } else {
            let roots = Arc::new(roots(options.authorities.as_ref())?);
            let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
            let built = builder.build().map_err(|source| failed("ca", "it is unusable").with_source(source));
            Some(built?)
        };
        Ok(Self { trusted, name: name.transpose()?, provider: Arc::clone(provider) })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trusted {
            Some(trusted) => {
                let name = self.name.as_ref().unwrap_or(server_name);
                trusted.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
