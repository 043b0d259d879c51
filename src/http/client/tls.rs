//! The client's side of TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::error::SetupError;

/// The most files that are read from a directory of authorities.
const CA_FILES_MAX: usize = 10_000;

/// Whom to trust, and what to show.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// PEM file of authorities.
    pub ca_cert: Option<String>,
    /// Directory of PEM files of authorities.
    pub ca_path: Option<String>,
    /// PEM file of a certificate of ours.
    pub client_cert: Option<String>,
    /// PEM file of its key.
    pub client_key: Option<String>,
    /// Accept any certificate.
    pub skip_verify: bool,
}

/// The configuration for one client.
pub fn config(options: &TlsOptions) -> Result<Arc<ClientConfig>, SetupError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Tls(error.to_string()))?;
    let builder = if options.skip_verify {
        let verifier = Arc::new(AnyCertificate { provider });
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    } else {
        builder.with_root_certificates(roots(options)?)
    };
    let config = match (&options.client_cert, &options.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| SetupError::Tls(error.to_string()))?,
        _ => {
            let both = "both client cert and client key must be provided";
            return Err(SetupError::Tls(String::from(both)));
        }
    };
    Ok(Arc::new(config))
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    match (&options.ca_cert, &options.ca_path) {
        (Some(file), _) => add(&mut roots, certificates(file)?),
        (None, Some(directory)) => {
            let entries = std::fs::read_dir(directory);
            let entries = entries.map_err(|error| unreadable(directory, &error))?;
            for entry in entries.take(CA_FILES_MAX).flatten() {
                if entry.path().is_file() {
                    add(&mut roots, certificates(&entry.path().to_string_lossy())?);
                }
            }
        }
        (None, None) => add(&mut roots, rustls_native_certs::load_native_certs().certs),
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, certificates: Vec<CertificateDer<'static>>) {
    // A system's store may hold certificates that webpki cannot read: they are left out.
    roots.add_parsable_certificates(certificates);
}

fn unreadable(path: &str, error: &dyn std::fmt::Display) -> SetupError {
    SetupError::Tls(format!("Error loading {path}: {error}"))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let found = CertificateDer::pem_file_iter(Path::new(path));
    let found = found.map_err(|error| unreadable(path, &error))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| unreadable(path, &error))?;
    if found.is_empty() {
        return Err(unreadable(path, &"no certificate in it"));
    }
    Ok(found)
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_file(Path::new(path)).map_err(|error| unreadable(path, &error))
}

/// Accepts any certificate, for `-tls-skip-verify`; signatures are still checked.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
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
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
