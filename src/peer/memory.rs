//! A network without sockets, for tests: in one process, seeded, and as unkind as a test asks for.

use super::network::{CallError, Member, Network, Protocol, PublicKey, Service};
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// The faults of one direction between two nodes. Answers go the other way.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// True when nothing arrives, and no node is told.
    pub is_cut: bool,
    /// The time that each message takes; different ones overtake one another.
    pub delay: RangeInclusive<Duration>,
    /// The number of a million requests or answers that are lost. Streams lose nothing but their
    /// answers.
    pub lost_ppm: u32,
    /// The number of a million calls that arrive a second time, after a delay of their own.
    pub repeated_ppm: u32,
}

impl Default for Way {
    /// Returns a way without faults.
    fn default() -> Self {
        Self {
            is_cut: false,
            delay: Duration::ZERO..=Duration::ZERO,
            lost_ppm: 0,
            repeated_ppm: 0,
        }
    }
}

type Ways = HashMap<(PublicKey, PublicKey), Way>;

/// All nodes and the ways between them. For tests: nothing here proves a node's identity.
///
/// Time is tokio's, so it works under paused time; chance comes from the seed alone. A call whose
/// caller gave up goes on at the other side, as it may on a real network.
pub struct Memory {
    chance: Mutex<u64>,
    nodes: Mutex<HashMap<PublicKey, Weak<MemoryNode>>>,
    ways: watch::Sender<Ways>,
}

/// One node's [`Network`]. Dropping it ends the requests that it was answering; a node made anew
/// under the same key takes its place.
pub struct MemoryNode {
    hub: Arc<Memory>,
    key: PublicKey,
    members: watch::Sender<HashSet<PublicKey>>,
    services: Mutex<HashMap<Protocol, Weak<dyn Service>>>,
}

impl Memory {
    /// Returns a network without nodes, all of whose ways are good.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            chance: Mutex::new(seed),
            nodes: Mutex::default(),
            ways: watch::Sender::default(),
        })
    }

    /// Puts a node on the network, or a new one in its place. Addresses do not matter.
    pub fn node(self: &Arc<Self>, key: PublicKey) -> Arc<MemoryNode> {
        let node = Arc::new(MemoryNode {
            hub: self.clone(),
            key: key.clone(),
            members: watch::Sender::default(),
            services: Mutex::default(),
        });
        lock(&self.nodes).insert(key, Arc::downgrade(&node));
        node
    }

    /// Sets the way from one node to another.
    pub fn set_way(&self, from: &PublicKey, to: &PublicKey, way: Way) {
        let between = (from.clone(), to.clone());
        self.ways.send_modify(|ways| _ = ways.insert(between, way));
    }

    /// Changes the way from one node to another.
    pub fn change_way(&self, from: &PublicKey, to: &PublicKey, change: impl FnOnce(&mut Way)) {
        let between = (from.clone(), to.clone());
        self.ways
            .send_modify(|ways| change(ways.entry(between).or_default()));
    }

    /// Cuts two nodes from one another, or joins them again; the ways keep their other qualities.
    pub fn part(&self, one: &PublicKey, other: &PublicKey, is_cut: bool) {
        self.change_way(one, other, |way| way.is_cut = is_cut);
        self.change_way(other, one, |way| way.is_cut = is_cut);
    }

    /// Makes all ways good.
    pub fn heal(&self) {
        self.ways.send_modify(HashMap::clear);
    }

    fn way(&self, from: &PublicKey, to: &PublicKey) -> Way {
        let ways = self.ways.borrow();
        let way = ways.get(&(from.clone(), to.clone()));
        way.cloned().unwrap_or_default()
    }

    fn find(&self, key: &PublicKey) -> Option<Arc<MemoryNode>> {
        lock(&self.nodes).get(key).and_then(Weak::upgrade)
    }

    /// Returns the next of the numbers that the seed leads to (SplitMix64).
    fn draw(&self) -> u64 {
        let mut state = lock(&self.chance);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn happens(&self, ppm: u32) -> bool {
        ppm > 0 && self.draw() % 1_000_000 < u64::from(ppm)
    }

    /// Waits for as long as the way takes.
    async fn travel(&self, way: &Way) {
        let (least, most) = (*way.delay.start(), *way.delay.end());
        let spread_us = most.saturating_sub(least).as_micros() as u64;
        let delay = match spread_us {
            0 => least,
            _ => least + Duration::from_micros(self.draw() % (spread_us + 1)),
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Carries a message; returns false when it does not arrive. A message under way when the way
    /// is cut is lost.
    async fn carry(&self, from: &PublicKey, to: &PublicKey) -> bool {
        let way = self.way(from, to);
        let is_lost = way.is_cut || self.happens(way.lost_ppm);
        self.travel(&way).await;
        !is_lost && !self.way(from, to).is_cut
    }

    /// Carries a piece of a stream, which waits where a message would be lost, as TCP would send it
    /// again.
    async fn carry_piece(&self, from: &PublicKey, to: &PublicKey) {
        self.travel(&self.way(from, to)).await;
        let between = (from.clone(), to.clone());
        let mut ways = self.ways.subscribe();
        let open = |ways: &Ways| ways.get(&between).is_none_or(|way| !way.is_cut);
        // The sender is in `self`.
        let _ = ways.wait_for(open).await;
    }
}

type Answered = Result<Bytes, CallError>;

/// The content of a delivery: a call, or a stream's head and body.
enum Parcel {
    Call(Bytes),
    Stream(Bytes, Chunks),
}

impl MemoryNode {
    /// Carries a parcel there, has it answered, and carries the answer back. `None` when one of the
    /// two was lost.
    async fn deliver(
        hub: Arc<Memory>,
        from: PublicKey,
        to: Member,
        protocol: Protocol,
        parcel: Parcel,
    ) -> Option<Answered> {
        if !hub.carry(&from, &to.public_key).await {
            return None;
        }
        let unreachable = |reason: &str, sent| CallError::Unreachable {
            name: to.name.clone(),
            address: to.address.clone(),
            reason: reason.to_owned(),
            sent,
        };
        let (members, service) = match hub.find(&to.public_key) {
            Some(node) => (node.members.subscribe(), node.service(protocol)),
            None => return Some(Err(unreachable("nobody is there", false))),
        };
        let answering = async {
            let Some(service) = service else {
                return Err("nothing answers here yet".to_owned());
            };
            match parcel {
                Parcel::Call(request) => service.call(from.clone(), request).await,
                Parcel::Stream(head, body) => service.stream(from.clone(), head, body).await,
            }
        };
        let answer = tokio::select! {
            biased;
            () = removed(members, &from) => Err(unreachable("it closed the connection", true)),
            answer = answering => answer.map_err(CallError::Refused),
        };
        let arrives = hub.carry(&to.public_key, &from).await;
        arrives.then_some(answer)
    }

    fn service(&self, protocol: Protocol) -> Option<Arc<dyn Service>> {
        lock(&self.services).get(&protocol)?.upgrade()
    }

    /// Runs a delivery on a task of its own, and waits for its answer.
    fn run(
        &self,
        to: &Member,
        delivery: impl Future<Output = Option<Answered>> + Send + 'static,
        is_late: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'_, Answered> {
        let name = to.name.clone();
        let key = to.public_key.clone();
        let members = self.members.subscribe();
        Box::pin(async move {
            let arrives = async {
                match tokio::spawn(delivery).await {
                    Ok(Some(answer)) => answer,
                    // Lost: no answer ever comes.
                    Ok(None) => std::future::pending().await,
                    Err(_) => Err(CallError::Refused("it failed inside".to_owned())),
                }
            };
            tokio::select! {
                biased;
                () = removed(members, &key) => Err(CallError::NotMember(name)),
                answer = arrives => answer,
                () = is_late => Err(CallError::TimedOut(name)),
            }
        })
    }
}

/// Waits until `key` is no member any more, or until the node that keeps the list is gone.
async fn removed(mut members: watch::Receiver<HashSet<PublicKey>>, key: &PublicKey) {
    // An error means that it is gone.
    let _ = members.wait_for(|members| !members.contains(key)).await;
}

impl Network for MemoryNode {
    fn call(
        &self,
        to: &Member,
        protocol: Protocol,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Answered> {
        let hub = &self.hub;
        let (from, name) = (&self.key, to.clone());
        let deliver = |to: Member| {
            let parcel = Parcel::Call(request.clone());
            Self::deliver(hub.clone(), from.clone(), to, protocol, parcel)
        };
        let way = hub.way(from, &to.public_key);
        let is_known = self.members.borrow().contains(&to.public_key);
        if is_known && hub.happens(way.repeated_ppm) {
            tokio::spawn(deliver(name.clone()));
        }
        self.run(to, deliver(name), tokio::time::sleep(within))
    }

    fn stream(
        &self,
        to: &Member,
        protocol: Protocol,
        head: Bytes,
        body: Chunks,
        stalled: Duration,
    ) -> BoxFuture<'_, Answered> {
        let moved = Arc::new(AtomicU64::new(0));
        let (hub, from, there) = (self.hub.clone(), self.key.clone(), to.public_key.clone());
        let counted = moved.clone();
        let body = body.then(move |piece: io::Result<Bytes>| {
            let (hub, from, there) = (hub.clone(), from.clone(), there.clone());
            let counted = counted.clone();
            async move {
                hub.carry_piece(&from, &there).await;
                counted.fetch_add(1, Ordering::Relaxed);
                piece
            }
        });
        let parcel = Parcel::Stream(head, Box::pin(body));
        let (hub, from) = (self.hub.clone(), self.key.clone());
        let delivery = Self::deliver(hub, from, to.clone(), protocol, parcel);
        let is_late = async move {
            let mut seen = u64::MAX;
            while seen != moved.load(Ordering::Relaxed) {
                seen = moved.load(Ordering::Relaxed);
                tokio::time::sleep(stalled).await;
            }
        };
        self.run(to, delivery, is_late)
    }

    fn set_members(&self, members: Vec<Member>) {
        let keys = members.into_iter().map(|member| member.public_key);
        self.members.send_replace(keys.collect());
    }

    fn serve(&self, protocol: Protocol, service: Weak<dyn Service>) {
        lock(&self.services).insert(protocol, service);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
