//! The state that the tasks of all connections share; finds the connection of a call.

use super::assembly::Assembly;
use super::identity::Identity;
use super::knocking::Knocking;
use super::limits::Limits;
use super::line::LineError;
use super::link::{Lane, Link};
use super::network::{CallError, Member, Protocol, PublicKey, Service};
use super::outbox::Gauge;
use super::presence::Presence;
use super::roster::Roster;
use crate::stream::Chunks;
use bytes::Bytes;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

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
    pub links: Mutex<Links>,
    pub shares: Mutex<HashMap<PublicKey, Share>>,
    pub services: Mutex<HashMap<Protocol, Weak<dyn Service>>>,
    pub tasks: Mutex<JoinSet<()>>,
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
pub(super) struct Links {
    pub by_lane: HashMap<Lane, Arc<Link>>,
    pub gauges: HashMap<PublicKey, Arc<Gauge>>,
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

    pub async fn call(
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

    pub async fn stream(
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

fn too_large(to: &Member, bytes: usize) -> CallError {
    CallError::Refused(format!(
        "{bytes} bytes are too many for one call to {}",
        to.name
    ))
}

/// Locks `mutex`, poisoned or not: its value is whole between two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
