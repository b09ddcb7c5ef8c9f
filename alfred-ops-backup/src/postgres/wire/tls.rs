//! TLS by rustls, with the provider always named.

use std::path::Path;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result, TlsMode};
use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::handshake::Binding;

pub(super) async fn encrypt(
    tcp: TcpStream,
    options: &PostgresOptions,
) -> Result<(TlsStream<TcpStream>, Binding)> {
    let config = config(&options.tls)?;
    let name = ServerName::try_from(options.host.clone())
        .map_err(|source| failed("the host is no name that a certificate could hold").with_source(source))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|source| {
        failed("the server's certificate or protocol was refused")
            .with_remedy("check sslrootcert and that the certificate names the host")
            .with_source(source)
    })?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let binding = certificate.and_then(|certificate| end_point(certificate));
    Ok((stream, binding))
}

fn config(mode: &TlsMode) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|source| failed("no protocol version is available").with_source(source))?;
    let TlsMode::VerifyFull { root_certificates } = mode else {
        let verifier = Arc::new(AnyServer(provider.signature_verification_algorithms));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in root_certificates_of(root_certificates.as_deref())? {
        roots
            .add(certificate)
            .map_err(|source| failed("a root certificate is unusable").with_source(source))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn root_certificates_of(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = match file {
        Some(path) => CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|source| {
            failed(&format!("sslrootcert {} cannot be read", path.display())).with_source(source)
        })?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    if certificates.is_empty() {
        return Err(failed("there is no root certificate").with_remedy("name a PEM file in sslrootcert"));
    }
    Ok(certificates)
}

/// The hash of the server's certificate that SCRAM binds to (RFC 5929, 4.1): by the hash function of the
/// certificate's own signature, SHA-256 in place of weaker ones, nothing for signatures without one.
fn end_point(certificate: &CertificateDer<'_>) -> Binding {
    let parsed = Certificate::from_der(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.oid.to_string().as_str() {
        // md5, sha1 and sha256 with RSA; ecdsa with SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// Believes every certificate, as `sslmode=require` says, but still checks that the server holds its key.
#[derive(Debug)]
struct AnyServer(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

fn failed(what: &str) -> Error {
    Error::new(ErrorKind::PermissionDenied, "start TLS", what)
}
