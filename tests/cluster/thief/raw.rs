//! Connections of a member that keep to no rule of `src/peer/frame.rs`.

use coffer::peer::Member;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, version};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The time for which it listens for an answer.
const LISTENS: Duration = Duration::from_millis(100);
/// A hello: kind 0, id 0, oldest and newest version 1.
const HELLO: [u8; 11] = [7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];

/// Accepts any server's certificate.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _key: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

async fn connect(key: &Path, to: &Member, alpn: &[u8]) -> Option<TlsStream<TcpStream>> {
    let der = std::fs::read(key).ok()?;
    let signer = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).ok()?;
    let public = CertificateDer::from(signer.public_key()?.as_ref().to_vec());
    let own = Arc::new(CertifiedKey::new(vec![public], signer));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own)));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.enable_sni = false;
    let stream = TcpStream::connect(&to.address).await.ok()?;
    let name = ServerName::try_from("member.invalid").ok()?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.ok()
}

fn frame(length: u32, kind: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.push(kind);
    bytes.extend(id.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// Connects again and again, and sends one wrong frame each time.
pub async fn garble(key: &Path, to: &Member, chance: usize) {
    let part = [7; 4000];
    let whole = |kind, id, payload: &[u8]| frame(5 + payload.len() as u32, kind, id, payload);
    let unended: Vec<u8> = (0..200).flat_map(|id| whole(0x81, id, &part)).collect();
    let streams: Vec<u8> = (0..100).flat_map(|id| whole(2, id, &part)).collect();
    let calls: Vec<u8> = (0..3000).flat_map(|id| whole(1, id, &[1, 2, 3])).collect();
    let wrong: [Vec<u8>; 12] = [
        Vec::new(),
        frame(u32::MAX, 1, 1, &part),
        frame(4, 1, 1, &[]),
        whole(99, 1, &part),
        whole(0x83, 1, &part),
        whole(3, 1, &part),
        whole(7, 1, &u32::MAX.to_le_bytes()),
        whole(8, chance as u32, &part),
        [whole(1, 7, &[1]), whole(1, 7, &[1]), whole(6, 7, &[])].concat(),
        unended,
        streams,
        calls,
    ];
    for (number, bytes) in wrong.iter().enumerate() {
        let alpns: [&[u8]; 3] = [b"coffer-raft/1", b"coffer-forward/1", b"h2"];
        let alpn = alpns[(chance + number) % if number == 0 { 3 } else { 2 }];
        let Some(mut stream) = connect(key, to, alpn).await else {
            continue;
        };
        let greets = (chance >> number) & 1 == 0 || number > 8;
        let hello: &[u8] = if greets { &HELLO } else { &[0xff; 11] };
        let sending = async {
            stream.write_all(hello).await?;
            stream.write_all(bytes).await?;
            stream.flush().await?;
            let mut back = vec![0; 1 << 16];
            stream.read(&mut back).await
        };
        // The connection is cut or not answered: either will do.
        drop(tokio::time::timeout(LISTENS, sending).await);
    }
}

/// The connections that a member may have, and the most that one of them may hold of a message.
const CONNECTIONS: usize = 8;
const UNENDED_FRAMES: u32 = 1000;

/// Begins messages on as many connections as it may have, and ends none.
pub async fn hold_memory(key: &Path, to: &Member) {
    let part = [7; 16_000];
    let one = frame(5 + part.len() as u32, 0x81, 1, &part);
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let Some(mut stream) = connect(key, to, b"coffer-raft/1").await else {
            continue;
        };
        let sending = async {
            stream.write_all(&HELLO).await?;
            for _ in 0..UNENDED_FRAMES {
                stream.write_all(&one).await?;
            }
            stream.flush().await
        };
        // The connection should be cut in the midst of it.
        drop(tokio::time::timeout(20 * LISTENS, sending).await);
        held.push(stream);
    }
    // The attack is to keep the connections.
    tokio::time::sleep(LISTENS).await;
}
