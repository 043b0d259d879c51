//! What is being answered right now, for `sys/in-flight-req`.

use super::Incoming;
use crate::clock::Timestamp;
use crate::engine::Operation;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One request that has no answer yet.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// When it came, in cluster time.
    pub start: Timestamp,
    /// What it asks for.
    pub operation: Operation,
    /// Without `/v1/`.
    pub path: String,
    /// Who asks; `None` on a unix socket.
    pub address: Option<SocketAddr>,
}

/// All of them. The edge bounds how many there can be.
#[derive(Default)]
pub struct Flights {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    next: u64,
    requests: HashMap<u64, (String, InFlight)>,
}

/// Dropped when the request has its answer.
pub(super) struct Flight {
    flights: Arc<Flights>,
    number: u64,
}

impl Flights {
    /// All requests by id.
    pub fn list(&self) -> HashMap<String, InFlight> {
        self.lock().requests.values().cloned().collect()
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.lock().requests.len()
    }

    pub(super) fn enter(self: &Arc<Self>, incoming: &Incoming, now: Timestamp) -> Flight {
        let request = InFlight {
            start: now,
            operation: incoming.operation,
            path: incoming.path.clone(),
            address: incoming.client.address,
        };
        let mut inside = self.lock();
        let number = inside.next;
        inside.next += 1;
        inside
            .requests
            .insert(number, (incoming.id.clone(), request));
        Flight {
            flights: Arc::clone(self),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().requests.remove(&self.number);
    }
}
