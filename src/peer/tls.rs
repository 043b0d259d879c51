//! Mutual TLS 1.3 with raw public keys (RFC 7250): a side is its key, so there is no certificate,
//! no authority, and no date that a node born in 1970 could get wrong.

use super::identity::Identity;
use super::network::{Protocol, PublicKey};
use super::roster::Roster;
use bytes::Bytes;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme, version,
};
use std::sync::Arc;

const PROTOCOLS: [Protocol; 2] = [Protocol::Raft, Protocol::Forward];

impl Protocol {
    /// Returns the protocol's ALPN name.
    pub(super) fn alpn(self) -> &'static [u8] {
        match self {
            Self::Raft => b"coffer-raft/1",
            Self::Forward => b"coffer-forward/1",
        }
    }
}

/// Configures TLS for dialling the owner of `pin`, and no other.
pub(super) fn client(identity: &Identity, pin: &PublicKey, protocol: Protocol) -> ClientConfig {
    let provider = provider();
    let verifier = Pinned {
        pin: pin.clone(),
        provider: provider.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .expect("ring's provider speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(
            identity,
        ))));
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config
}

/// Configures TLS for answering the members that are on the roster at that moment.
pub(super) fn server(identity: &Identity, roster: Arc<Roster>) -> ServerConfig {
    let provider = provider();
    let verifier = MemberVerifier {
        roster,
        provider: provider.clone(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .expect("ring's provider speaks TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(
            identity,
        ))));
    config.alpn_protocols = PROTOCOLS.map(|name| name.alpn().to_vec()).to_vec();
    // No tickets: a resumed session would pass by the verifier.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config
}

/// Returns the name that rustls requires of a client; nothing is checked against it and it is not
/// sent.
pub(super) fn server_name() -> ServerName<'static> {
    ServerName::try_from("member.invalid").expect("a DNS name")
}

/// Returns the key that the other side proved to have, and the protocol that it wants to speak.
/// `None` when it lacks either.
pub(super) fn who(connection: &CommonState) -> Option<(PublicKey, Protocol)> {
    let key = connection.peer_certificates()?.first()?;
    let alpn = connection.alpn_protocol()?;
    let protocol = PROTOCOLS.into_iter().find(|name| name.alpn() == alpn)?;
    Some((PublicKey(Bytes::copy_from_slice(key)), protocol))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Returns this node's raw public key, which rustls carries where a certificate would stand.
fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let key = CertificateDer::from(identity.public_key().0.to_vec());
    Arc::new(CertifiedKey::new(vec![key], identity.signer()))
}

fn refused() -> Error {
    CertificateError::ApplicationVerificationFailure.into()
}

fn verify(
    provider: &CryptoProvider,
    message: &[u8],
    key: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(key.as_ref());
    let algorithms = &provider.signature_verification_algorithms;
    verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
}

/// Accepts one key.
#[derive(Debug)]
struct Pinned {
    pin: PublicKey,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if others.is_empty() && **key == *self.pin.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(refused())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(&self.provider, message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts the keys of members.
struct MemberVerifier {
    roster: Arc<Roster>,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for MemberVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberVerifier")
    }
}

impl ClientCertVerifier for MemberVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let key = PublicKey(Bytes::copy_from_slice(key));
        if others.is_empty() && self.roster.has(&key) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(refused())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(&self.provider, message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
