//! The network over TCP.

use super::assembly::Assembly;
use super::error::PeerError;
use super::identity::Identity;
use super::inbound::{self, Knocking};
use super::limits::Limits;
use super::line::LineError;
use super::link::{Lane, Link};
use super::network::{CallError, Member, Network, Protocol, PublicKey, Service};
use super::outbox::Gauge;
use super::presence::{AllSeenTwice, Presence};
use super::roster::Roster;
use super::tls;
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use rustls::ServerConfig;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The network between members over TCP and mutual TLS 1.3 with pinned raw public keys.
///
/// Cheap until used: connections are made by the first call to a member. Dropping it closes all.
pub struct Peers {
    inner: Arc<Inner>,
}

/// The state that the tasks of all connections share.
pub(super) struct Inner {
    pub identity: Identity,
    pub limits: Limits,
    pub roster: Arc<Roster>,
    pub server: Arc<ServerConfig>,
    pub knocking: Knocking,
    pub presence: Presence,
    /// The number that tells this process from others that have its key.
    pub process: u64,
    links: Mutex<Links>,
    shares: Mutex<HashMap<PublicKey, Share>>,
    services: Mutex<HashMap<Protocol, Weak<dyn Service>>>,
    tasks: Mutex<JoinSet<()>>,
}

/// The gauges that all connections of one peer share: a stolen card opens as many as it may, and
/// must not fill this node's memory.
#[derive(Clone)]
pub(super) struct Share {
    /// The bytes of requests that are being answered.
    pub served: Arc<Gauge>,
    /// The bytes of messages that are not whole yet.
    assembling: Arc<Gauge>,
}

impl Share {
    fn new(limits: &Limits) -> Self {
        Self {
            served: Gauge::new(limits.served_bytes_max),
            assembling: Assembly::gauge(limits.message_bytes_max),
        }
    }

    /// Returns the assembly of one connection.
    pub fn assembly(&self, limits: &Limits) -> Assembly {
        Assembly::new(limits.message_bytes_max, self.assembling.clone())
    }
}

#[derive(Default)]
struct Links {
    by_lane: HashMap<Lane, Arc<Link>>,
    gauges: HashMap<PublicKey, Arc<Gauge>>,
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
    /// When an address cannot be resolved or bound; then none of them is listened on.
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

impl Inner {
    /// Runs a task that ends with the network; returns false if that has ended.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        let is_open = !self.roster.is_shut_down();
        if is_open {
            tasks.spawn(crate::task::boxed(task));
        }
        is_open
    }

    /// Returns the service that answers `protocol`.
    pub fn service(&self, protocol: Protocol) -> Option<Weak<dyn Service>> {
        lock(&self.services).get(&protocol).cloned()
    }

    /// Ends the pauses before `key` is dialled again, since it was heard of.
    pub fn end_pauses(&self, key: &PublicKey) {
        for (lane, link) in &lock(&self.links).by_lane {
            if lane.key == *key {
                link.end_pause();
            }
        }
    }

    /// Returns the gauges that the connections of `key` share.
    pub fn share(&self, key: &PublicKey) -> Share {
        let mut shares = lock(&self.shares);
        let share = shares.entry(key.clone());
        share.or_insert_with(|| Share::new(&self.limits)).clone()
    }

    fn link(&self, to: &Member, protocol: Protocol, is_for_streams: bool) -> Option<Arc<Link>> {
        let mut links = lock(&self.links);
        // Under the lock, so that `set_members` forgets the links that are made here for a removed
        // member.
        if !self.roster.has(&to.public_key) {
            return None;
        }
        let Links { by_lane, gauges } = &mut *links;
        let lane = Lane {
            key: to.public_key.clone(),
            protocol,
            is_for_streams,
        };
        let link = by_lane.entry(lane).or_insert_with_key(|lane| {
            let gauge = gauges
                .entry(lane.key.clone())
                .or_insert_with(|| Gauge::new(self.limits.queued_bytes_max));
            Link::new(lane.clone(), gauge.clone())
        });
        Some(link.clone())
    }

    async fn call(
        self: &Arc<Self>,
        to: &Member,
        protocol: Protocol,
        request: Bytes,
        within: Duration,
    ) -> Result<Bytes, CallError> {
        if request.len() > self.limits.message_bytes_max {
            return Err(too_large(to, request.len()));
        }
        let deadline = Instant::now() + within;
        let link = self.link(to, protocol, false);
        let link = link.ok_or_else(|| CallError::NotMember(to.name.clone()))?;
        let charge = link.gauge.take(request.len());
        let charge = charge.ok_or_else(|| CallError::Busy(to.name.clone()))?;
        let line = tokio::time::timeout_at(deadline, link.line(self, to)).await;
        let line = line.unwrap_or_else(|_| Err("no connection in time".to_owned()));
        let line = line.map_err(|why| self.unreachable(to, why, false))?;
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = line.call(request, charge, left).await;
        answer.map_err(|error| self.call_error(to, error))
    }

    async fn stream(
        self: &Arc<Self>,
        to: &Member,
        protocol: Protocol,
        head: Bytes,
        body: Chunks,
        stalled: Duration,
    ) -> Result<Bytes, CallError> {
        if head.len() > self.limits.message_bytes_max {
            return Err(too_large(to, head.len()));
        }
        let link = self.link(to, protocol, true);
        let link = link.ok_or_else(|| CallError::NotMember(to.name.clone()))?;
        let line = tokio::time::timeout(stalled, link.line(self, to)).await;
        let line = line.unwrap_or_else(|_| Err("no connection in time".to_owned()));
        let line = line.map_err(|why| self.unreachable(to, why, false))?;
        let answer = line.stream(head, body, stalled).await;
        answer.map_err(|error| self.call_error(to, error))
    }

    fn call_error(&self, to: &Member, error: LineError) -> CallError {
        match error {
            LineError::Stale => self.unreachable(to, "the connection was closed".to_owned(), false),
            LineError::Lost(why) => self.unreachable(to, why, true),
            LineError::TimedOut => CallError::TimedOut(to.name.clone()),
            LineError::Busy => CallError::Busy(to.name.clone()),
            LineError::Refused(words) => CallError::Refused(words),
        }
    }

    fn unreachable(&self, to: &Member, reason: String, sent: bool) -> CallError {
        if self.roster.is_shut_down() || self.roster.has(&to.public_key) {
            CallError::Unreachable {
                name: to.name.clone(),
                address: to.address.clone(),
                reason,
                sent,
            }
        } else {
            CallError::NotMember(to.name.clone())
        }
    }
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

fn too_large(to: &Member, bytes: usize) -> CallError {
    CallError::Refused(format!(
        "{bytes} bytes are too many for one call to {}",
        to.name
    ))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
