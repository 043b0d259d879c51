//! How this node speaks to its peers, and what it heard of them.

use super::rpc::{self, Answer, Ask, Envelope, Status};
use super::state_machine::Applied;
use crate::peer::{CallError, Chunks, Member, Network, Protocol};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What a peer last said of itself.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) at: Instant,
    pub(super) status: Status,
}

/// One per open storage.
pub(super) struct Voice {
    pub(super) id: u64,
    pub(super) network: Option<Arc<dyn Network>>,
    pub(super) applied: Arc<Applied>,
    pub(super) hostname: String,
    /// Whether this node may lead: it is unsealed.
    pub(super) elects: watch::Sender<bool>,
    contacts: Mutex<HashMap<u64, Contact>>,
    /// Where each member is by now: raft keeps speaking to where it was when it became one.
    known: Mutex<BTreeMap<u64, Member>>,
}

impl Voice {
    pub(super) fn new(
        id: u64,
        network: Option<Arc<dyn Network>>,
        applied: Arc<Applied>,
        hostname: String,
    ) -> Self {
        Self {
            id,
            network,
            applied,
            hostname,
            elects: watch::Sender::new(false),
            contacts: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// This node's own status.
    pub(super) fn status(&self) -> Status {
        let (applied, _) = self.applied.state.progress();
        Status {
            elects: *self.elects.borrow(),
            hostname: self.hostname.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            applied: applied.map_or(0, |applied| applied.index),
        }
    }

    /// Notes what a peer said of itself.
    pub(super) fn note(&self, peer: u64, status: Status) {
        let at = Instant::now();
        self.contacts().insert(peer, Contact { at, status });
    }

    /// Takes note of the members as they are now, and forgets what was heard of others.
    pub(super) fn know(&self, members: &BTreeMap<u64, Member>) {
        self.contacts().retain(|peer, _| members.contains_key(peer));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone_from(members);
    }

    fn current(&self, peer: u64) -> Option<Member> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&peer).cloned()
    }

    /// What a peer last said of itself.
    pub(super) fn contact(&self, peer: u64) -> Option<Contact> {
        self.contacts().get(&peer).cloned()
    }

    /// True when the peer was heard of within `age`.
    pub(super) fn is_heard(&self, peer: u64, age: Duration) -> bool {
        let contact = self.contact(peer);
        contact.is_some_and(|contact| contact.at.elapsed() < age)
    }

    /// Asks a peer.
    pub(super) async fn ask(
        &self,
        peer: u64,
        member: &Member,
        ask: &Ask,
        bodies: &[Bytes],
        within: Duration,
    ) -> Result<Answer, CallError> {
        let network = self.network.as_ref().ok_or_else(|| alone(member))?;
        let member = &self.current(peer).unwrap_or_else(|| member.clone());
        let request = rpc::encode(&self.envelope(peer), ask, bodies);
        let request = request.map_err(|error| CallError::Refused(error.to_string()))?;
        let answer = network
            .call(member, Protocol::Raft, request, within)
            .await?;
        self.read(peer, &answer)
    }

    /// Streams to a peer.
    pub(super) async fn stream(
        &self,
        peer: u64,
        member: &Member,
        head: &rpc::SnapshotHead,
        body: Chunks,
        stalled: Duration,
    ) -> Result<Answer, CallError> {
        let network = self.network.as_ref().ok_or_else(|| alone(member))?;
        let member = &self.current(peer).unwrap_or_else(|| member.clone());
        let head = rpc::encode(&self.envelope(peer), head, &[]);
        let head = head.map_err(|error| CallError::Refused(error.to_string()))?;
        let answer = network
            .stream(member, Protocol::Raft, head, body, stalled)
            .await?;
        self.read(peer, &answer)
    }

    fn envelope(&self, to: u64) -> Envelope {
        Envelope {
            from: self.id,
            to,
            status: self.status(),
        }
    }

    fn read(&self, peer: u64, answer: &Bytes) -> Result<Answer, CallError> {
        let (status, answer, _) =
            rpc::decode(answer).map_err(|error| CallError::Refused(error.to_string()))?;
        self.note(peer, status);
        Ok(answer)
    }

    fn contacts(&self) -> MutexGuard<'_, HashMap<u64, Contact>> {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn alone(member: &Member) -> CallError {
    CallError::Unreachable {
        name: member.name.clone(),
        address: member.address.clone(),
        reason: "this node has no network".into(),
        sent: false,
    }
}
