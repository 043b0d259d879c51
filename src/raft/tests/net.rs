//! A network between nodes of one process, with switches.

use crate::peer::{CallError, Member, Network, Protocol, PublicKey, Service};
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

type Key = PublicKey;

#[derive(Default)]
struct State {
    services: HashMap<Key, Weak<dyn Service>>,
    members: HashMap<Key, Vec<Key>>,
    /// The pairs of nodes of which nothing gets from the first to the second.
    cut: HashSet<(Key, Key)>,
    delay: Duration,
    /// The bytes of a stream after which it breaks.
    stream_bytes_max: Option<usize>,
}

/// The wires between all nodes.
#[derive(Default)]
pub struct Wires(Mutex<State>);

impl Wires {
    pub fn cut(&self, from: &Key, to: &Key) {
        self.0
            .lock()
            .unwrap()
            .cut
            .insert((from.clone(), to.clone()));
    }

    pub fn heal(&self) {
        self.0.lock().unwrap().cut.clear();
    }

    /// Sets half a round trip.
    pub fn set_delay(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    pub fn break_streams_after(&self, bytes: Option<usize>) {
        self.0.lock().unwrap().stream_bytes_max = bytes;
    }

    pub fn unplug(&self, key: &Key) {
        self.0.lock().unwrap().services.remove(key);
    }

    /// Ends a node's process as a kill does: its connections end, and its address refuses others.
    pub fn crash(&self, key: &Key) {
        self.unplug(key);
        self.part(key);
    }

    /// Ends the connections on which a node calls the others.
    pub fn part(&self, key: &Key) {
        let state = self.0.lock().unwrap();
        let others = state.services.iter().filter(|(other, _)| *other != key);
        let others: Vec<_> = others
            .filter_map(|(_, service)| service.upgrade())
            .collect();
        drop(state);
        others.iter().for_each(|other| other.parted(key));
    }

    /// Returns true while `at` takes calls of `from`.
    pub fn hears(&self, at: &Key, from: &Key) -> bool {
        let state = self.0.lock().unwrap();
        let heard = state.members.get(at);
        heard.is_some_and(|heard| heard.contains(from))
    }

    /// Returns false once one of the two does not take the other for a member: then nothing passes,
    /// not even an answer.
    fn connects(&self, one: &Key, other: &Key) -> bool {
        self.hears(one, other) && self.hears(other, one)
    }

    fn way(&self, from: &Key, to: &Key) -> Option<Duration> {
        let state = self.0.lock().unwrap();
        let is_cut = state.cut.contains(&(from.clone(), to.clone()));
        (!is_cut).then_some(state.delay)
    }

    fn service(&self, from: &Key, to: &Key) -> Option<Arc<dyn Service>> {
        let connects = self.connects(from, to);
        let state = self.0.lock().unwrap();
        let service = state.services.get(to).filter(|_| connects)?;
        service.upgrade()
    }
}

/// One node's end of the wires.
pub struct Plug {
    pub wires: Arc<Wires>,
    pub key: Key,
}

impl Plug {
    /// Waits for the delay, or for ever where the wire is cut.
    async fn cross(&self, from: &Key, to: &Key) {
        loop {
            if let Some(delay) = self.wires.way(from, to) {
                tokio::time::sleep(delay).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn gone(to: &Member) -> CallError {
        CallError::Unreachable {
            name: to.name.clone(),
            address: to.address.clone(),
            reason: "nobody answers".into(),
            sent: true,
        }
    }
}

impl Network for Plug {
    fn call(
        &self,
        to: &Member,
        _: Protocol,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let to = to.clone();
        Box::pin(async move {
            let (me, you) = (self.key.clone(), to.public_key.clone());
            let calling = async {
                self.cross(&me, &you).await;
                let service = self.wires.service(&me, &you);
                let service = service.ok_or_else(|| Self::gone(&to))?;
                // The other side goes on even when the caller does not wait.
                let from = me.clone();
                let answering = tokio::spawn(async move { service.call(from, request).await });
                let answer = answering.await.map_err(|_| Self::gone(&to))?;
                self.cross(&you, &me).await;
                match self.wires.connects(&me, &you) {
                    true => answer.map_err(CallError::Refused),
                    false => Err(Self::gone(&to)),
                }
            };
            let called = tokio::time::timeout(within, calling).await;
            called.unwrap_or_else(|_| Err(CallError::TimedOut(to.name.clone())))
        })
    }

    fn stream(
        &self,
        to: &Member,
        _: Protocol,
        head: Bytes,
        body: Chunks,
        _stalled: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let to = to.clone();
        Box::pin(async move {
            let service = self.wires.service(&self.key, &to.public_key);
            let service = service.ok_or_else(|| Self::gone(&to))?;
            let mut left = self.wires.0.lock().unwrap().stream_bytes_max;
            let body = body.map(move |chunk| {
                let chunk = chunk?;
                if let Some(left) = &mut left {
                    *left = left
                        .checked_sub(chunk.len())
                        .ok_or(io::ErrorKind::BrokenPipe)?;
                }
                Ok(chunk)
            });
            let answer = service.stream(self.key.clone(), head, Box::pin(body)).await;
            answer.map_err(CallError::Refused)
        })
    }

    fn is_refused(&self, to: &Member) -> BoxFuture<'_, bool> {
        let state = self.wires.0.lock().unwrap();
        let is_refused = !state.services.contains_key(&to.public_key);
        Box::pin(std::future::ready(is_refused))
    }

    fn set_members(&self, members: Vec<Member>) {
        let keys = members
            .into_iter()
            .map(|member| member.public_key)
            .collect();
        let mut state = self.wires.0.lock().unwrap();
        state.members.insert(self.key.clone(), keys);
    }

    fn serve(&self, _: Protocol, service: Weak<dyn Service>) {
        let mut state = self.wires.0.lock().unwrap();
        state.services.insert(self.key.clone(), service);
    }
}
