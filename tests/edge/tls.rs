//! TLS: versions, client certificates, reload, and clients that forgot it.

use crate::fake::{Edge, PATIENCE, Reply};
use coffer::http::{Address, Gate, Listener, Options, Tls, TlsVersion};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HEALTH: &[u8] = b"GET /v1/sys/health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A directory with an authority, a server pair and a client pair.
pub struct Material {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Material {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let material = Self {
            folder: tempfile::tempdir().unwrap(),
            authority: CertifiedIssuer::self_signed(params, key).unwrap(),
        };
        std::fs::write(material.path("ca.pem"), material.authority.pem()).unwrap();
        material.issue("server");
        material.issue("client");
        material
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a new pair for localhost.
    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.authority;
        let certificate = params.signed_by(&key, issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub fn options(&self) -> Tls {
        Tls {
            cert_file: self.path("server.pem"),
            key_file: self.path("server.key"),
            client_ca_file: None,
            require_and_verify_client_cert: false,
            min_version: TlsVersion::V1_2,
        }
    }
}

pub fn der(path: &Path) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_file(path).unwrap()
}

/// Speaks TLS to `edge`; `None` when the server does not want to.
async fn connect(
    edge: &Edge,
    material: &Material,
    versions: &[&'static rustls::SupportedProtocolVersion],
    with_certificate: bool,
) -> Option<TlsStream<tokio::net::TcpStream>> {
    over(edge.connect().await, material, versions, with_certificate).await
}

/// Speaks TLS over an open stream, otherwise as [`connect`].
pub async fn over(
    stream: tokio::net::TcpStream,
    material: &Material,
    versions: &[&'static rustls::SupportedProtocolVersion],
    with_certificate: bool,
) -> Option<TlsStream<tokio::net::TcpStream>> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der(&material.path("ca.pem"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = if with_certificate {
        let key = PrivateKeyDer::from_pem_file(material.path("client.key")).unwrap();
        let chain = vec![der(&material.path("client.pem"))];
        builder.with_client_auth_cert(chain, key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .ok()
}

async fn status(stream: Option<TlsStream<tokio::net::TcpStream>>) -> Option<u16> {
    let mut stream = stream?;
    stream.write_all(HEALTH).await.ok()?;
    let reply = Reply::read(&mut stream).await;
    (reply.status > 0).then_some(reply.status)
}

async fn serve(material: &Material, change: impl FnOnce(&mut Tls)) -> Edge {
    let mut tls = material.options();
    change(&mut tls);
    Edge::start(|listener: &mut Listener| listener.tls = Some(tls)).await
}

#[tokio::test]
async fn both_versions_are_spoken_unless_the_newer_is_asked_for() {
    let material = Material::new();
    let old = &[&rustls::version::TLS12][..];
    let new = &[&rustls::version::TLS13][..];
    let edge = serve(&material, |_| ()).await;
    assert_eq!(
        status(connect(&edge, &material, old, false).await).await,
        Some(501)
    );
    assert_eq!(
        status(connect(&edge, &material, new, false).await).await,
        Some(501)
    );
    let strict = serve(&material, |tls| tls.min_version = TlsVersion::V1_3).await;
    assert_eq!(
        status(connect(&strict, &material, old, false).await).await,
        None
    );
    assert_eq!(
        status(connect(&strict, &material, new, false).await).await,
        Some(501)
    );
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_so() {
    let material = Material::new();
    let edge = serve(&material, |_| ()).await;
    let reply = edge.send(std::str::from_utf8(HEALTH).unwrap()).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.body,
        "Client sent an HTTP request to an HTTPS server.\n"
    );
    let nonsense = edge.send("\u{1}\u{2}").await;
    assert_eq!(nonsense.head, "");
    assert!(edge.server.shutdown(PATIENCE).await);
}

#[tokio::test]
async fn client_certificates_are_required_when_told_so() {
    let material = Material::new();
    let both = rustls::ALL_VERSIONS;
    let required = serve(&material, |tls| {
        tls.client_ca_file = Some(material.path("ca.pem"));
        tls.require_and_verify_client_cert = true;
    })
    .await;
    assert_eq!(
        status(connect(&required, &material, both, false).await).await,
        None
    );
    assert_eq!(
        status(connect(&required, &material, both, true).await).await,
        Some(501)
    );
    let stranger = Material::new();
    std::fs::copy(stranger.path("client.pem"), material.path("client.pem")).unwrap();
    std::fs::copy(stranger.path("client.key"), material.path("client.key")).unwrap();
    assert_eq!(
        status(connect(&required, &material, both, true).await).await,
        None
    );
    let optional = serve(&material, |tls| {
        tls.client_ca_file = Some(material.path("ca.pem"));
    })
    .await;
    assert_eq!(
        status(connect(&optional, &material, both, false).await).await,
        Some(501)
    );
}

#[tokio::test]
async fn a_reload_takes_a_good_pair_and_refuses_a_bad_one() {
    let material = Material::new();
    let edge = serve(&material, |_| ()).await;
    let leaf = |stream: TlsStream<tokio::net::TcpStream>| {
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let both = rustls::ALL_VERSIONS;
    let first = leaf(connect(&edge, &material, both, false).await.unwrap());
    material.issue("server");
    edge.server.reload().unwrap();
    let second = leaf(connect(&edge, &material, both, false).await.unwrap());
    assert_ne!(first, second);
    std::fs::copy(material.path("client.key"), material.path("server.key")).unwrap();
    let failures = edge.server.reload().unwrap_err();
    assert_eq!(failures.len(), 1, "{failures:?}");
    std::fs::write(material.path("server.key"), "not PEM").unwrap();
    let failures = edge.server.reload().unwrap_err();
    assert!(
        failures[0].1.to_string().contains("server.key"),
        "{failures:?}"
    );
    let third = leaf(connect(&edge, &material, both, false).await.unwrap());
    assert_eq!(second, third, "the old pair stays in force");
}

#[tokio::test]
async fn missing_files_stop_the_start_and_are_named() {
    let material = Material::new();
    let edge = serve(&material, |_| ()).await;
    std::fs::remove_file(material.path("server.pem")).unwrap();
    let mut listener = Listener::new(Address::Tcp("127.0.0.1:0".into()));
    listener.tls = Some(material.options());
    let options = Options {
        listeners: vec![listener],
        ..Options::default()
    };
    let gate = Gate {
        role: edge.role.subscribe(),
        lifecycle: edge.node.clone(),
        forwarder: None,
        recovery: None,
    };
    let Err(error) = coffer::http::serve(options, gate).await else {
        panic!("started without its certificate");
    };
    assert!(error.to_string().contains("server.pem"), "{error}");
}
