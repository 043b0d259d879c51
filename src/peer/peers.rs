//! The network over TCP.

use super::error::PeerError;
use super::identity::Identity;
use super::limits::Limits;
use super::network::{BoxFuture, CallError, Chunks, Member, Network, Protocol, PublicKey, Service};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The network between members over TCP and mutual TLS 1.3 with pinned raw public keys.
///
/// Cheap until used: connections are made by the first call to a member.
pub struct Peers {
    identity: Identity,
    _limits: Limits,
}

impl Peers {
    /// A network that nobody hears yet; see [`Peers::listen`]. Members are set by
    /// [`Network::set_members`]; until then nobody is one.
    pub fn new(identity: Identity, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            identity,
            _limits: limits,
        })
    }

    /// Who this node is to others.
    pub fn public_key(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// Listens on all of `addresses` (`host:port`; a name that has several addresses is listened
    /// on at each; port 0 is any). Gives what was bound, in that order. It can be called again
    /// for further addresses.
    ///
    /// # Errors
    /// When one cannot be resolved or bound; then none of them is listened on.
    pub async fn listen(&self, addresses: &[String]) -> Result<Vec<SocketAddr>, PeerError> {
        let _ = addresses;
        Ok(Vec::new())
    }

    /// Closes all listeners and connections, and waits until the ports are free. Calls fail from
    /// now on.
    pub async fn shutdown(&self) {}
}

impl Network for Peers {
    fn call(
        &self,
        to: &Member,
        _protocol: Protocol,
        _request: Bytes,
        _within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let error = unreachable(to);
        Box::pin(async move { Err(error) })
    }

    fn stream(
        &self,
        to: &Member,
        _protocol: Protocol,
        _head: Bytes,
        _body: Chunks,
        _stalled: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let error = unreachable(to);
        Box::pin(async move { Err(error) })
    }

    fn set_members(&self, _members: Vec<Member>) {}

    fn serve(&self, _protocol: Protocol, _service: Weak<dyn Service>) {}
}

fn unreachable(to: &Member) -> CallError {
    CallError::Unreachable {
        name: to.name.clone(),
        address: to.address.clone(),
        reason: "no connection is made yet".to_owned(),
    }
}
