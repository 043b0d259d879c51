//! TLS material of a listener: read at start, read again on demand, swapped only when good.

use super::options::{Tls, TlsVersion};
use super::suites;
use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// Reasons why TLS material cannot be used; the operator's to repair.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is unreadable, or not PEM of the expected kind.
    #[error("cannot read {what} '{path}': {reason}")]
    File {
        /// The kind: `certificate`, `key`, `client authorities`.
        what: &'static str,
        /// The path, as configured.
        path: String,
        /// The reason.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of an unsupported kind.
    #[error("certificate '{path}' and its key cannot be used: {reason}")]
    Pair {
        /// The certificate's file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// Client certificates are required and there is no `tls_client_ca_file`; the operator must
    /// name one.
    #[error("client certificates are required but no tls_client_ca_file is given")]
    NoClientAuthorities,
    /// The client authorities cannot be used.
    #[error("client authorities '{path}' cannot be used: {reason}")]
    ClientAuthorities {
        /// The path, as configured.
        path: String,
        /// The reason.
        reason: String,
    },
}

/// A listener's current TLS configuration.
pub(super) struct Reloadable {
    options: Tls,
    config: ArcSwap<ServerConfig>,
}

impl Reloadable {
    pub(super) fn load(options: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            options: options.clone(),
            config: ArcSwap::new(Arc::new(read(options)?)),
        })
    }

    /// Returns the configuration for the next handshake.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Reads the files again. On error the old configuration stays in force.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let config = read(&self.options)?;
        self.config.store(Arc::new(config));
        Ok(())
    }
}

/// Reads a listener's files as its start does, and returns the certificates as DER.
///
/// # Errors
/// See [`TlsError`].
pub fn check(options: &Tls) -> Result<Vec<Vec<u8>>, TlsError> {
    read(options)?;
    let chain = certificates("certificate", &options.cert_file)?;
    Ok(chain
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

fn read(options: &Tls) -> Result<ServerConfig, TlsError> {
    let chain = certificates("certificate", &options.cert_file)?;
    let file = opened("key", &options.key_file)?;
    let key = PrivateKeyDer::from_pem_reader(file)
        .map_err(|error| unreadable("key", &options.key_file, &error))?;
    let provider = Arc::new(suites::provider());
    let versions: &[_] = match options.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let pair = |error: rustls::Error| TlsError::Pair {
        path: options.cert_file.display().to_string(),
        reason: error.to_string(),
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(pair)?;
    let builder = match client_verifier(options, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    // A resumed session gets the next one.
    config.send_tls13_tickets = 1;
    Ok(config)
}

fn client_verifier(
    options: &Tls,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(path) = &options.client_ca_file else {
        return if options.require_and_verify_client_cert {
            Err(TlsError::NoClientAuthorities)
        } else {
            Ok(None)
        };
    };
    let unusable = |reason: String| TlsError::ClientAuthorities {
        path: path.display().to_string(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("client authorities", path)? {
        roots
            .add(authority)
            .map_err(|error| unusable(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if options.require_and_verify_client_cert {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder
        .build()
        .map(Some)
        .map_err(|error| unusable(error.to_string()))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_reader_iter(opened(what, path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(what, path, &error))?;
    if chain.is_empty() {
        return Err(TlsError::File {
            what,
            path: path.display().to_string(),
            reason: String::from("it holds no certificate"),
        });
    }
    Ok(chain)
}

/// Opens the file, unless a stranger may have put it there.
fn opened(what: &'static str, path: &Path) -> Result<BufReader<File>, TlsError> {
    let opened = crate::file::read(path).map_err(|error| TlsError::File {
        what,
        path: path.display().to_string(),
        reason: error.to_string(),
    });
    opened.map(BufReader::new)
}

/// Returns the error for a malformed file. The reader's own text, which may quote the file, stays
/// out of the message.
fn unreadable(what: &'static str, path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    use rustls::pki_types::pem::Error;
    let reason = match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => String::from("nothing of that kind is in it"),
        _ => String::from("it is not well-formed PEM"),
    };
    TlsError::File {
        what,
        path: path.display().to_string(),
        reason,
    }
}
