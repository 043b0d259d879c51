//! The network over TCP.

use super::error::PeerError;
use super::identity::Identity;
use super::inbound;
use super::inner::{Inner, lock};
use super::knocking::Knocking;
use super::limits::Limits;
use super::link;
use super::network::{CallError, Member, Network, Protocol, PublicKey, Service};
use super::presence::{AllSeenTwice, Presence};
use super::roster::Roster;
use super::tls;
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The network between members over TCP and mutual TLS 1.3 with pinned raw public keys.
///
/// Cheap until used: connections are made by the first call to a member. Dropping it closes all.
pub struct Peers {
    inner: Arc<Inner>,
}

impl Peers {
    /// Returns a network that no node hears yet; see [`Peers::listen`]. [`Network::set_members`]
    /// sets the members; until then there are none.
    pub fn new(identity: Identity, limits: Limits) -> Arc<Self> {
        let roster = Roster::new(limits.connections_per_peer_max, limits.connections_max);
        let server = Arc::new(tls::server(&identity, roster.clone()));
        let presence = Presence::new(limits.late_max);
        Arc::new(Self {
            inner: Arc::new(Inner {
                identity,
                limits,
                roster,
                server,
                knocking: Knocking::default(),
                presence,
                process: Presence::draw(),
                links: Mutex::default(),
                shares: Mutex::default(),
                services: Mutex::default(),
                tasks: Mutex::default(),
            }),
        })
    }

    /// Returns the key by which others know this node.
    pub fn public_key(&self) -> PublicKey {
        self.inner.identity.public_key()
    }

    /// Listens on all of `addresses` (`host:port`; a name that has several addresses is listened on
    /// at each, and without a host all of this machine's; port 0 is any). Returns the bound
    /// addresses, in that order. It can be called again for further addresses.
    ///
    /// # Errors
    /// An address cannot be resolved or bound; then none of them is listened on.
    pub async fn listen(&self, addresses: &[String]) -> Result<Vec<SocketAddr>, PeerError> {
        if self.inner.roster.is_shut_down() {
            return Err(PeerError::ShutDown);
        }
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.extend(bind_all(address).await?);
        }
        let mut bound = Vec::new();
        for (address, listener) in listeners {
            bound.push(address);
            let inner = self.inner.clone();
            self.inner.spawn(inbound::accept(inner, listener));
        }
        Ok(bound)
    }

    /// Follows the members whose keys more than one process uses at the same time.
    pub fn seen_twice(&self) -> watch::Receiver<AllSeenTwice> {
        self.inner.presence.seen_twice()
    }

    /// Closes all listeners and connections, and waits until the ports are free. Calls fail from
    /// now on.
    pub async fn shutdown(&self) {
        self.inner.roster.shut_down();
        let mut tasks = std::mem::take(&mut *lock(&self.inner.tasks));
        tasks.shutdown().await;
    }

    #[cfg(test)]
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.inner.roster.shut_down();
        lock(&self.inner.tasks).abort_all();
    }
}

/// Binds all addresses of a name; without a host all addresses of this machine, as listeners of the
/// API.
async fn bind_all(address: &str) -> Result<Vec<(SocketAddr, TcpListener)>, PeerError> {
    if let Some(port) = address.strip_prefix(':') {
        return bind_everywhere(address, port);
    }
    let found = tokio::net::lookup_host(address).await;
    let found: HashSet<SocketAddr> = found
        .map_err(|source| PeerError::Resolve {
            address: address.to_owned(),
            source,
        })?
        .collect();
    let bind = |at| {
        let listener = inbound::bind(at)?;
        Ok((listener.local_addr()?, listener))
    };
    let bound: std::io::Result<Vec<_>> = found.into_iter().map(bind).collect();
    bound.map_err(|source| PeerError::Listen {
        address: address.to_owned(),
        source,
    })
}

/// Binds all IPv4 and all IPv6 addresses; a machine may lack one of the two protocols.
fn bind_everywhere(address: &str, port: &str) -> Result<Vec<(SocketAddr, TcpListener)>, PeerError> {
    let port: u16 = port.parse().map_err(|_| PeerError::Resolve {
        address: address.to_owned(),
        source: std::io::Error::other("the port is not a number"),
    })?;
    let four = inbound::bind((Ipv4Addr::UNSPECIFIED, port).into());
    let port = match &four {
        Ok(listener) => listener.local_addr().map_or(port, |bound| bound.port()),
        Err(_) => port,
    };
    let six = inbound::bind((Ipv6Addr::UNSPECIFIED, port).into());
    let taken = |bound: &std::io::Result<TcpListener>| {
        let error = bound.as_ref().err();
        error.is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    };
    let failed = taken(&four) || taken(&six) || (four.is_err() && six.is_err());
    let mut listeners = Vec::new();
    for bound in [four, six] {
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok(bound) => listeners.push(bound),
            Err(source) if failed => {
                let address = address.to_owned();
                return Err(PeerError::Listen { address, source });
            }
            Err(_) => {}
        }
    }
    Ok(listeners)
}

impl Network for Peers {
    fn call(
        &self,
        to: &Member,
        protocol: Protocol,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let to = to.clone();
        Box::pin(async move { self.inner.call(&to, protocol, request, within).await })
    }

    fn stream(
        &self,
        to: &Member,
        protocol: Protocol,
        head: Bytes,
        body: Chunks,
        stalled: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let to = to.clone();
        Box::pin(async move { self.inner.stream(&to, protocol, head, body, stalled).await })
    }

    fn is_refused(&self, to: &Member) -> BoxFuture<'_, bool> {
        let address = to.address.clone();
        let within = self.inner.limits.connect_within;
        Box::pin(async move { link::is_refused(&address, within).await })
    }

    fn set_members(&self, members: Vec<Member>) {
        self.inner.roster.set(&members);
        self.inner.presence.retain(&members);
        let keys: HashSet<_> = members.iter().map(|member| &member.public_key).collect();
        let mut links = lock(&self.inner.links);
        links.by_lane.retain(|lane, _| keys.contains(&lane.key));
        links.gauges.retain(|key, _| keys.contains(key));
        lock(&self.inner.shares).retain(|key, _| keys.contains(key));
    }

    fn serve(&self, protocol: Protocol, service: Weak<dyn Service>) {
        lock(&self.inner.services).insert(protocol, service);
    }
}
