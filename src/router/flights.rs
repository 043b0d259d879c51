//! The requests that are being answered right now, for `sys/in-flight-req`.

use super::Incoming;
use crate::clock::Timestamp;
use crate::engine::Operation;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One request that has no answer yet.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// Time of its arrival, in cluster time.
    pub start: Timestamp,
    /// The operation that it asks for.
    pub operation: Operation,
    /// The path, without `/v1/`.
    pub path: String,
    /// The address of the client; `None` on a unix socket.
    pub address: Option<SocketAddr>,
}

/// All requests that have no answer yet. The edge bounds their number.
#[derive(Default)]
pub struct Flights {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    next: u64,
    requests: HashMap<u64, (String, InFlight)>,
}

/// The entry of one request, dropped when the request has its answer.
pub(super) struct Flight {
    flights: Arc<Flights>,
    number: u64,
}

impl Flights {
    /// Returns all requests by id.
    pub fn list(&self) -> HashMap<String, InFlight> {
        self.lock().requests.values().cloned().collect()
    }

    /// Returns the number of requests.
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
