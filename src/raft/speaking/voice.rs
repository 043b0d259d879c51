//! Calls peers, and remembers the status that each reported.

use super::acknowledged::Acknowledged;
use super::led::Led;
use crate::peer::{CallError, Member, Network, Protocol, PublicKey};
use crate::raft::applying::state_machine::Applied;
use crate::raft::proof::{Hints, ProofBook};
use crate::raft::wire::message::Proof;
use crate::raft::wire::message::{self, Answer, Ask, Envelope, Status, Wire};
use crate::raft::wire::record::Ballot;
use crate::raft::wire::types::LogId;
use crate::stream::Chunks;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The longest host's name and version that are kept of a peer, in bytes.
const TEXT_BYTES_MAX: usize = 64;

/// The time between two snapshots for a sealed member.
const SNAPSHOT_REST: Duration = Duration::from_secs(5);

/// A peer's newest account of itself.
#[derive(Clone, Debug)]
pub(in crate::raft) struct Contact {
    pub(in crate::raft) at: Instant,
    /// The status that the peer reported, except that `elects` takes proof where proofs are
    /// required.
    pub(in crate::raft) status: Status,
}

/// Calls the peers of an open storage.
pub(in crate::raft) struct Voice {
    pub(in crate::raft) id: u64,
    pub(in crate::raft) network: Option<Arc<dyn Network>>,
    pub(in crate::raft) applied: Arc<Applied>,
    pub(in crate::raft) hostname: String,
    /// True while this node is unsealed, and so may lead.
    pub(in crate::raft) elects: watch::Sender<bool>,
    pub(in crate::raft) proofs: ProofBook,
    pub(in crate::raft) hints: Hints,
    pub(in crate::raft) acknowledged: Acknowledged,
    contacts: Mutex<HashMap<u64, Contact>>,
    /// The members with their present addresses: raft keeps using the address that a member had
    /// when it became one.
    known: Mutex<BTreeMap<u64, Member>>,
    /// The time after which a peer counts as lost.
    silence: Duration,
    /// The leader that last spoke to this node as such.
    led: Mutex<Led>,
    /// The member that last reported a log that goes further than this node's.
    ahead: Mutex<Option<(u64, Instant)>>,
    /// The time of the last snapshot for each member.
    snapshots: Mutex<HashMap<u64, Instant>>,
    /// The members whose logs fell behind the entries that they acknowledged.
    pub(in crate::raft) fallen: watch::Sender<BTreeSet<u64>>,
}

impl Voice {
    pub(in crate::raft) fn new(
        id: u64,
        network: Option<Arc<dyn Network>>,
        applied: Arc<Applied>,
        hostname: String,
        proofs: ProofBook,
        silence: Duration,
    ) -> Self {
        Self {
            id,
            network,
            applied,
            hostname,
            elects: watch::Sender::new(false),
            proofs,
            hints: Hints::default(),
            acknowledged: Acknowledged::default(),
            contacts: Mutex::default(),
            known: Mutex::default(),
            silence,
            led: Mutex::default(),
            ahead: Mutex::default(),
            snapshots: Mutex::default(),
            fallen: watch::Sender::default(),
        }
    }

    /// Returns this node's own status.
    pub(in crate::raft) fn status(&self) -> Status {
        let (applied, _) = self.applied.state.progress();
        Status {
            elects: *self.elects.borrow(),
            hostname: self.hostname.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            applied: applied.map_or(0, |applied| applied.index),
        }
    }

    /// Notes the status that a peer, pinned to `key`, reported. Believes that it is unsealed only
    /// by proof. Returns true when it is.
    pub(in crate::raft) fn note(
        &self,
        peer: u64,
        key: &PublicKey,
        mut status: Status,
        standing: &Proof,
    ) -> bool {
        let at = Instant::now();
        status.elects = status.elects && self.proofs.stands(peer, key, standing);
        for text in [&mut status.hostname, &mut status.version] {
            if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                text.clear();
            }
        }
        let elects = status.elects;
        self.contacts().insert(peer, Contact { at, status });
        elects
    }

    /// Returns the version of messages that this node speaks now.
    pub(in crate::raft) fn wire(&self) -> Wire {
        match self.proofs.required() {
            Some(_) => Wire::Proven,
            None => Wire::Plain,
        }
    }

    /// Returns the proofs for a message that speaks of `vote`, if it speaks of one.
    fn prove(&self, wire: Wire, vote: Option<Ballot>) -> message::Proofs {
        if wire == Wire::Plain {
            return message::Proofs::default();
        }
        let own = vote.filter(|vote| vote.node == self.id);
        message::Proofs {
            standing: self.proofs.standing(),
            mandate: own.map_or_else(Proof::default, |vote| self.proofs.mandate(vote.term)),
        }
    }

    /// Takes the present members with their addresses, and forgets the status of other nodes.
    pub(in crate::raft) fn know(&self, members: &BTreeMap<u64, Member>) {
        self.contacts().retain(|peer, _| members.contains_key(peer));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone_from(members);
    }

    /// Returns a member with its present address.
    pub(in crate::raft) fn current(&self, peer: u64) -> Option<Member> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&peer).cloned()
    }

    /// Returns a peer's newest account of itself.
    pub(in crate::raft) fn contact(&self, peer: u64) -> Option<Contact> {
        self.contacts().get(&peer).cloned()
    }

    /// Notes that `leader` spoke to this node as its leader just now.
    pub(in crate::raft) fn was_led_by(&self, leader: u64) {
        self.led().note(leader, Instant::now());
    }

    /// Returns true when `leader` spoke to this node as its leader within `age`. That it answers
    /// questions, as each member does, says nothing of that.
    pub(in crate::raft) fn is_led_by(&self, leader: u64, age: Duration) -> bool {
        self.led_at(leader).is_some_and(|at| at.elapsed() < age)
    }

    /// Returns the time at which `leader` last spoke to this node as its leader; `None` when
    /// another has since.
    pub(in crate::raft) fn led_at(&self, leader: u64) -> Option<Instant> {
        self.led().at(leader)
    }

    /// Returns true unless `leader` spoke to this node as its leader within `age`, even if another
    /// has since.
    pub(in crate::raft) fn is_silent(&self, leader: u64, age: Duration) -> bool {
        let spoke = self.led().last_at(leader);
        spoke.is_none_or(|at| at.elapsed() >= age)
    }

    fn led(&self) -> MutexGuard<'_, Led> {
        self.led.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true while the acknowledgement of `last` by `member` must wait for those of unsealed
    /// voters.
    pub(in crate::raft) fn must_wait(&self, term: u64, member: u64, last: &LogId) -> bool {
        if self.proofs.required().is_none() || self.is_unsealed(member) {
            return false;
        }
        let waits = |id| self.is_unsealed(id);
        self.acknowledged.waits(term, self.id, member, last, waits)
    }

    /// Returns true for a member that was heard of lately and proved that it is unsealed.
    fn is_unsealed(&self, member: u64) -> bool {
        let contact = self.contact(member);
        contact.is_some_and(|heard| heard.status.elects && heard.at.elapsed() < self.silence)
    }

    /// Returns false when a member that may be a stolen card had a snapshot less than
    /// [`SNAPSHOT_REST`] ago, since each one is read from this node's card. Otherwise notes that
    /// the member gets one now.
    pub(in crate::raft) fn may_send_snapshot(&self, member: u64) -> bool {
        let mut sent = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_early = sent
            .get(&member)
            .is_some_and(|at| at.elapsed() < SNAPSHOT_REST);
        if is_early && self.proofs.required().is_some() && !self.is_unsealed(member) {
            return false;
        }
        sent.insert(member, Instant::now());
        true
    }

    /// Notes that a member refused this node its vote, since its own log goes further.
    pub(in crate::raft) fn lacks(&self, member: u64) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = Some((member, Instant::now()));
    }

    /// Returns the member that last reported, within `age`, a log that goes further than this
    /// node's.
    pub(in crate::raft) fn ahead(&self, age: Duration) -> Option<u64> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead
            .filter(|(_, at)| at.elapsed() < age)
            .map(|(member, _)| member)
    }

    /// Notes that a member's log is behind the entries that it acknowledged in this term.
    pub(in crate::raft) fn fell_behind(&self, member: u64) {
        if self.fallen.send_if_modified(|told| told.insert(member)) {
            tracing::error!(
                raft_id = member,
                "a member's log is behind what it acknowledged: its card went back to an older \
                 state, or another node uses its key; it gets nothing until the next leader"
            );
        }
    }

    /// Asks a peer, and returns its answer.
    pub(in crate::raft) async fn ask(
        &self,
        peer: u64,
        member: &Member,
        ask: &Ask,
        bodies: &[Bytes],
        within: Duration,
    ) -> Result<Answer, CallError> {
        let asked = self.ask_as_it_stands(peer, member, ask, bodies, within);
        asked.await.map(|(_, answer)| answer)
    }

    /// Asks a peer as [`Voice::ask`] does, and returns also whether it was unsealed when it
    /// answered: an answer to an earlier question may come after this one.
    pub(in crate::raft) async fn ask_as_it_stands(
        &self,
        peer: u64,
        member: &Member,
        ask: &Ask,
        bodies: &[Bytes],
        within: Duration,
    ) -> Result<(bool, Answer), CallError> {
        let network = self.network.as_ref().ok_or_else(|| alone(member))?;
        let member = &self.current(peer).unwrap_or_else(|| member.clone());
        let wire = self.wire();
        let proofs = self.prove(wire, ask.mandated(self.id));
        let request = message::encode_ask(wire, &self.envelope(peer), &proofs, ask, bodies);
        let request = request.map_err(|error| CallError::Refused(error.to_string()))?;
        let answer = network
            .call(member, Protocol::Raft, request, within)
            .await?;
        self.read(peer, member, &answer)
    }

    /// Streams a snapshot to a peer, and returns its answer.
    pub(in crate::raft) async fn stream(
        &self,
        peer: u64,
        member: &Member,
        head: &message::SnapshotHead,
        body: Chunks,
        stalled: Duration,
    ) -> Result<Answer, CallError> {
        let network = self.network.as_ref().ok_or_else(|| alone(member))?;
        let member = &self.current(peer).unwrap_or_else(|| member.clone());
        let wire = self.wire();
        let proofs = self.prove(wire, Some(head.vote));
        let head = message::encode_ask(wire, &self.envelope(peer), &proofs, head, &[]);
        let head = head.map_err(|error| CallError::Refused(error.to_string()))?;
        let answer = network
            .stream(member, Protocol::Raft, head, body, stalled)
            .await?;
        let (_, answer) = self.read(peer, member, &answer)?;
        Ok(answer)
    }

    fn envelope(&self, to: u64) -> Envelope {
        Envelope {
            from: self.id,
            to,
            status: self.status(),
        }
    }

    fn read(
        &self,
        peer: u64,
        member: &Member,
        answer: &Bytes,
    ) -> Result<(bool, Answer), CallError> {
        let (status, standing, answer) = message::decode_answer(answer)
            .map_err(|error| CallError::Refused(error.to_string()))?;
        let elects = self.note(peer, &member.public_key, status, &standing);
        Ok((elects, answer))
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
