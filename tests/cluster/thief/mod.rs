//! The thief: a member's card in strange hands, with its key and its log and without unseal keys.
//!
//! The thief speaks the frames of members ([`wire`] writes them without the program's own code),
//! listens at the member's address, and tries every message that a member could send: [`attacks`]
//! has its questions, [`lies`] its answers, [`posing`] the program itself run on the stolen card.
//! All messages to it go through an [`Ear`], which looks for canaries.

mod attacks;
mod card;
mod controls;
mod den;
mod double;
mod ear;
mod lies;
mod posing;
mod proof;
mod raw;
mod stolen;
mod wire;

pub use card::{Card, copy};
pub use ear::Ear;

use super::load::step;
use bytes::Bytes;
use coffer::peer::{Member, Network, Protocol, PublicKey, Service};
use coffer::stream::Chunks;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use wire::{Answer, Ask, Ballot, Envelope, Position, Proof, Proofs, Status};

/// Longest wait for an answer.
const WITHIN: Duration = Duration::from_secs(2);
/// Most proofs of others that are kept.
const PROOFS: usize = 32;
/// The time after which a stalled stream is given up.
const STALLED: Duration = Duration::from_millis(500);

/// The way in which the thief answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// It refuses everything, as a node that is stopping.
    Mute,
    /// It answers like a good follower, but keeps nothing.
    Meek,
    /// It answers at random.
    Liar,
    /// It never answers.
    Hanging,
}

/// The thief's view of the cluster, from the answers that it got.
#[derive(Clone, Copy, Debug)]
struct Belief {
    term: u64,
    leader: u64,
    last: Position,
    committed: Position,
}

type MoreNetworks = dyn Fn() -> Arc<dyn Network> + Send + Sync;

/// One stolen member.
pub struct Thief {
    pub card: Card,
    pub ear: Ear,
    network: Arc<dyn Network>,
    /// Makes further connections under the same key, where there can be any.
    more: Option<Box<MoreNetworks>>,
    dice: Mutex<u64>,
    belief: Mutex<Belief>,
    mood: AtomicU8,
    is_old: AtomicBool,
    /// The attempts, and the number of members that agreed.
    tried: Mutex<BTreeMap<&'static str, (u64, u64)>>,
    doors: Mutex<Vec<Arc<Door>>>,
    posing: Mutex<BTreeMap<Protocol, Weak<dyn Service>>>,
    /// The proofs of others that the thief received.
    proofs: Mutex<VecDeque<Proof>>,
}

/// The service that members call.
struct Door {
    thief: Weak<Thief>,
    protocol: Protocol,
}

impl Thief {
    /// Takes the place of the card's owner on `network`.
    pub fn new(
        card: Card,
        network: Arc<dyn Network>,
        more: Option<Box<MoreNetworks>>,
        canaries: &[&str],
        seed: u64,
    ) -> Arc<Self> {
        let belief = Belief {
            term: card.term,
            leader: 0,
            last: card.last,
            committed: card.last,
        };
        let thief = Arc::new(Self {
            ear: Ear::new(canaries),
            network,
            more,
            dice: Mutex::new(step(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)),
            belief: Mutex::new(belief),
            mood: AtomicU8::new(Mood::Mute as u8),
            is_old: AtomicBool::new(false),
            tried: Mutex::default(),
            doors: Mutex::default(),
            posing: Mutex::default(),
            proofs: Mutex::default(),
            card,
        });
        let others = thief.card.others();
        thief
            .network
            .set_members(others.into_iter().map(|(_, member)| member).collect());
        for protocol in [Protocol::Raft, Protocol::Forward] {
            let door = Arc::new(Door {
                thief: Arc::downgrade(&thief),
                protocol,
            });
            let weak: Weak<dyn Service> = Arc::downgrade(&door) as Weak<dyn Service>;
            thief.network.serve(protocol, weak);
            thief.doors.lock().unwrap().push(door);
        }
        thief
    }

    pub fn set_mood(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }

    /// Speaks from now on as the release before does.
    pub fn speak_old(&self) {
        self.is_old.store(true, Ordering::Relaxed);
    }

    fn mood(&self) -> Mood {
        match self.mood.load(Ordering::Relaxed) {
            0 => Mood::Mute,
            1 => Mood::Meek,
            2 => Mood::Liar,
            _ => Mood::Hanging,
        }
    }

    fn belief(&self) -> Belief {
        *self.belief.lock().unwrap()
    }

    fn learn(&self, vote: Ballot, last: Option<Position>, committed: Option<Position>) {
        let mut belief = self.belief.lock().unwrap();
        // A term out of reach is a lie, perhaps the thief's own.
        if vote.term >= belief.term && vote.term < u64::MAX / 2 {
            belief.term = vote.term;
            if vote.committed {
                belief.leader = vote.node;
            }
        }
        belief.last = belief.last.max(last.unwrap_or(belief.last));
        belief.committed = belief.committed.max(committed.unwrap_or(belief.committed));
    }

    fn roll(&self, below: usize) -> usize {
        let mut dice = self.dice.lock().unwrap();
        *dice = step(*dice);
        usize::try_from((*dice >> 11) % u64::try_from(below).unwrap()).unwrap()
    }

    /// Returns a number as an attacker would choose it, around `near`.
    fn wild(&self, near: u64) -> u64 {
        match self.roll(8) {
            0 => 0,
            1 => u64::MAX,
            2 => u64::MAX - 1,
            3 => near.saturating_add(1 << 32),
            4 => near.saturating_sub(1),
            5 => near,
            _ => near.saturating_add(1 + self.roll(1000) as u64),
        }
    }

    fn wild_position(&self) -> Position {
        let belief = self.belief();
        Position {
            term: self.wild(belief.term),
            index: self.wild(belief.last.index),
        }
    }

    fn wild_id(&self) -> u64 {
        let ids: Vec<u64> = self.card.members.keys().copied().collect();
        match self.roll(5) {
            0 => 0,
            1 => self.wild(self.card.id),
            _ => ids[self.roll(ids.len())],
        }
    }

    fn wild_ballot(&self) -> Ballot {
        Ballot {
            term: self.wild(self.belief().term),
            node: self.wild_id(),
            committed: self.roll(2) == 0,
        }
    }

    fn status(&self) -> Status {
        Status {
            elects: true,
            hostname: "thief".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            applied: self.wild(self.belief().last.index),
        }
    }

    fn envelope(&self, to: u64) -> Envelope {
        Envelope {
            from: self.card.id,
            to,
            status: self.status(),
        }
    }

    /// Returns the version of the next message: mostly the present one.
    fn version(&self) -> u8 {
        match self.roll(4) {
            _ if self.is_old.load(Ordering::Relaxed) => wire::PLAIN,
            0 => wire::PLAIN,
            _ => wire::PROVEN,
        }
    }

    /// Returns a forged signature: none, a length, chance, or one that it received.
    fn forged_proof(&self) -> Proof {
        let bytes =
            |length: usize| -> Proof { (0..length).map(|_| self.roll(256) as u8).collect() };
        let kept = self.proofs.lock().unwrap().clone();
        match self.roll(8) {
            0 => Proof::new(),
            1 => bytes(64),
            2 => bytes(63),
            3 => Bytes::from(vec![0; 64]),
            4 => bytes(1 + self.roll(70_000)),
            _ if kept.is_empty() => bytes(64),
            _ => kept[self.roll(kept.len())].clone(),
        }
    }

    fn forged_proofs(&self) -> Proofs {
        Proofs {
            standing: self.forged_proof(),
            mandate: self.forged_proof(),
        }
    }

    fn keep_proof(&self, proof: Proof) {
        let mut kept = self.proofs.lock().unwrap();
        if !proof.is_empty() && !kept.contains(&proof) {
            kept.push_back(proof);
            if kept.len() > PROOFS {
                kept.pop_front();
            }
        }
    }

    /// Asks a member, and learns from its answer.
    async fn ask(&self, to: &(u64, Member), ask: &Ask) -> Option<Answer> {
        let bytes = self.worded(self.version(), to.0, ask);
        let answer = self.send(&to.1, Protocol::Raft, bytes).await?;
        let (standing, answer) = wire::read_reply(&answer)?;
        self.keep_proof(standing);
        if let Answer::Voted { vote, last, .. } = &answer {
            self.learn(*vote, *last, None);
        }
        Some(answer)
    }

    /// Encodes a question with forged proofs.
    fn worded(&self, version: u8, to: u64, ask: &impl Serialize) -> Bytes {
        wire::ask(version, &self.envelope(to), &self.forged_proofs(), ask)
    }

    /// Sends bytes as they are. Returns `None` when they were refused.
    async fn send(&self, to: &Member, protocol: Protocol, bytes: Bytes) -> Option<Bytes> {
        let answer = self.network.call(to, protocol, bytes, WITHIN).await;
        self.hear_answer(answer)
    }

    async fn send_stream(&self, to: &Member, protocol: Protocol, head: Bytes, body: Vec<Bytes>) {
        let body: Chunks = Box::pin(stream::iter(body.into_iter().map(Ok)));
        let sending = self.network.stream(to, protocol, head, body, STALLED);
        self.hear_answer(sending.await);
    }

    fn hear_answer(&self, answer: Result<Bytes, coffer::peer::CallError>) -> Option<Bytes> {
        match answer {
            Ok(answer) => {
                self.ear.hear("answer", &answer);
                Some(answer)
            }
            Err(error) => {
                self.ear.hear("refusal", error.to_string().as_bytes());
                None
            }
        }
    }

    /// Returns true if any member answers it.
    pub async fn is_heard(&self, others: &[(u64, Member)]) -> bool {
        let mut heard = false;
        for to in others {
            for version in [wire::PLAIN, wire::PROVEN] {
                let bytes = self.worded(version, to.0, &Ask::Members);
                heard |= self.send(&to.1, Protocol::Raft, bytes).await.is_some();
            }
        }
        heard
    }

    fn note(&self, what: &'static str, said_yes: bool) {
        let mut tried = self.tried();
        let (times, yes) = tried.entry(what).or_default();
        *times += 1;
        *yes += u64::from(said_yes);
    }

    /// Returns the attempts of each kind, and the number of those that a member agreed to.
    pub fn tried(&self) -> MutexGuard<'_, BTreeMap<&'static str, (u64, u64)>> {
        self.tried.lock().unwrap()
    }
}

impl Service for Door {
    fn call(
        &self,
        from: PublicKey,
        request: Bytes,
    ) -> coffer::task::BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move {
            let thief = self.thief.upgrade().ok_or("gone")?;
            thief.ear.hear(called(self.protocol), &request);
            thief.ear.keep(ear::Heard {
                from: from.clone(),
                protocol: self.protocol,
                bytes: request.clone(),
            });
            match thief.poser(self.protocol) {
                Some(poser) => poser.call(from, request).await,
                None => thief.lie(self.protocol, &request).await,
            }
        })
    }

    fn stream(
        &self,
        from: PublicKey,
        head: Bytes,
        mut body: Chunks,
    ) -> coffer::task::BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move {
            let thief = self.thief.upgrade().ok_or("gone")?;
            thief.ear.hear("stream", &head);
            if let Some(poser) = thief.poser(self.protocol) {
                let listening = Arc::clone(&thief);
                let body = body.inspect(move |piece| {
                    if let Ok(piece) = piece {
                        listening.ear.hear("piece", piece);
                    }
                });
                return poser.stream(from, head, Box::pin(body)).await;
            }
            while let Some(Ok(piece)) = body.next().await {
                thief.ear.hear("piece", &piece);
            }
            thief.lie(self.protocol, &head).await
        })
    }
}

fn called(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Raft => "message",
        Protocol::Forward => "forwarded request",
    }
}
