//! The client's side of TLS.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use zeroize::Zeroizing;

use crate::secret::SecretString;

use super::error::SetupError;

/// The largest PEM file, in bytes: all authorities that Debian trusts take a twentieth of it.
const PEM_BYTES_MAX: usize = 4 << 20;

/// The most files that are read from a directory of authorities.
const CA_FILES_MAX: usize = 10_000;

/// PEM, as a text or in a file.
#[derive(Debug)]
pub enum Pem {
    /// A file with any owner: the caller named it just now.
    File(String),
    /// A file that is refused where a stranger may have put it there.
    Trusted(String),
    /// The text itself; it may be a private key.
    Text(SecretString),
}

/// The authorities that are trusted, and the client's certificate.
#[derive(Debug, Default)]
pub struct TlsOptions {
    /// The authorities, or the server's own certificate.
    pub ca_cert: Option<Pem>,
    /// A directory of PEM files of authorities.
    pub ca_path: Option<String>,
    /// The client's certificate.
    pub client_cert: Option<Pem>,
    /// The certificate's key.
    pub client_key: Option<Pem>,
    /// True if any certificate is accepted.
    pub skip_verify: bool,
}

/// The configuration for one client, made when it is first needed: reading the authorities of the
/// system takes a while.
pub(super) struct Lazy {
    options: Arc<TlsOptions>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Lazy {
    pub(super) fn new(options: Arc<TlsOptions>) -> Self {
        Self {
            options,
            config: OnceLock::new(),
        }
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, SetupError> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = config(&self.options)?;
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

fn config(options: &TlsOptions) -> Result<Arc<ClientConfig>, SetupError> {
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
        let verifier = Trusted::new(roots(options)?, provider);
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
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

fn roots(options: &TlsOptions) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let (Some(directory), None) = (&options.ca_path, &options.ca_cert) else {
        return match &options.ca_cert {
            Some(pem) => certificates(pem),
            None => Ok(rustls_native_certs::load_native_certs().certs),
        };
    };
    let mut roots = Vec::new();
    let entries = std::fs::read_dir(directory);
    let entries = entries.map_err(|error| unreadable(directory, &error))?;
    for entry in entries.take(CA_FILES_MAX).flatten() {
        if entry.path().is_file() {
            let path = entry.path().to_string_lossy().into_owned();
            roots.extend(certificates(&Pem::File(path))?);
        }
    }
    Ok(roots)
}

fn unreadable(path: &str, error: &dyn std::fmt::Display) -> SetupError {
    SetupError::Tls(format!("Error loading {path}: {error}"))
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let wrong = |error: pem::Error| unreadable(pem.name("the certificate"), &error);
    let text = pem.read()?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(wrong)?;
    if found.is_empty() {
        return Err(unreadable(
            pem.name("the certificate"),
            &"no certificate in it",
        ));
    }
    Ok(found)
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, SetupError> {
    let key = PrivateKeyDer::from_pem_slice(&pem.read()?);
    key.map_err(|error| unreadable(pem.name("the private key"), &error))
}

impl Pem {
    /// Returns the name for messages.
    fn name<'a>(&'a self, otherwise: &'a str) -> &'a str {
        match self {
            Self::File(path) | Self::Trusted(path) => path,
            Self::Text(_) => otherwise,
        }
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, SetupError> {
        let (path, opened) = match self {
            Self::Text(text) => return Ok(Zeroizing::new(text.expose().as_bytes().to_vec())),
            Self::File(path) => (path, File::open(path)),
            Self::Trusted(path) => (path, crate::file::read(Path::new(path))),
        };
        let mut text = Zeroizing::default();
        let read = opened.and_then(|file| {
            let most = PEM_BYTES_MAX as u64 + 1;
            // The buffer has its full size from the start: growing would leave copies of a key
            // behind.
            let length = file.metadata()?.len().min(most) as usize;
            text = Zeroizing::new(Vec::with_capacity(length + 1));
            file.take(most).read_to_end(&mut text)
        });
        match read {
            Ok(length) if length > PEM_BYTES_MAX => Err(unreadable(
                path,
                &format!("longer than {PEM_BYTES_MAX} bytes"),
            )),
            Ok(_) => Ok(text),
            Err(error) => Err(unreadable(path, &error)),
        }
    }
}

/// Trusts certificates that a root has signed, and a root itself: `openssl req -x509` makes
/// certificates that are authorities and serve at the same time, and clients written in Go accept
/// them.
#[derive(Debug)]
struct Trusted {
    anchors: RootCertStore,
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Trusted {
    fn new(roots: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Self {
        let mut anchors = RootCertStore::empty();
        // A system's store may hold certificates that webpki cannot read: they are left out.
        anchors.add_parsable_certificates(roots.iter().cloned());
        Self {
            anchors,
            roots,
            provider,
        }
    }

    /// Accepts a root's own certificate, which webpki refuses as a server's after it has checked
    /// the dates: it is as good as one that the root has signed.
    fn reconsider(
        &self,
        error: rustls::Error,
        certificate: &CertificateDer<'_>,
    ) -> Result<(), rustls::Error> {
        match &error {
            rustls::Error::InvalidCertificate(CertificateError::Other(other))
                if other.to_string() == "CaUsedAsEndEntity" => {}
            _ => return Err(error),
        }
        match self.roots.iter().any(|root| root == certificate) {
            true => Ok(()),
            false => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let signed = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.anchors,
            intermediates,
            now,
            algorithms,
        );
        signed.or_else(|error| self.reconsider(error, end_entity))?;
        verify_server_name(&certificate, server_name)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use std::time::Duration;

    /// Returns a certificate as `openssl req -x509` makes it: signed by itself, an authority, for a
    /// name.
    fn authority(name: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn verify(root: &CertificateDer<'_>, leaf: &CertificateDer<'_>, name: &str, at: u64) -> bool {
        let provider = Arc::new(ring::default_provider());
        let trusted = Trusted::new(vec![root.clone().into_owned()], provider);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
        trusted
            .verify_server_cert(leaf, &[], &name, &[], at)
            .is_ok()
    }

    #[test]
    fn a_server_whose_certificate_is_the_configured_root_itself_is_trusted() {
        let (root, other) = (authority("pi.local"), authority("pi.local"));
        let (now, far) = (1_800_000_000, 100_000_000_000);
        assert!(verify(&root, &root, "pi.local", now));
        assert!(!verify(&root, &root, "pi2.local", now), "another name");
        assert!(!verify(&root, &root, "pi.local", far), "expired");
        assert!(!verify(&root, &other, "pi.local", now), "not configured");
    }
}
