//! Clients that put, put with `cas`, get and delete, and record the answers.

use super::check::{Action, Operation, Outcome};
use super::http::{Connection, Lost};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Calls on one record before the clients go on to others.
const CALLS_PER_RECORD: u64 = 160;
/// Records in use at a time.
const RECORDS: u64 = 8;
/// Longest wait of a client for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A mark in every body that is written, and so in every answer that has one: places that must not
/// get a secret must not have it.
pub const BODY_CANARY: &str = "canary-in-a-body-7c1f";
/// The pause of a client after no node served it.
const PAUSE: Duration = Duration::from_millis(10);

/// The state that all clients share.
struct Shared {
    addresses: Vec<SocketAddr>,
    token: String,
    begun: Instant,
    stop: AtomicBool,
    calls: AtomicU64,
    values: AtomicU64,
    first: u64,
    history: Mutex<Vec<Operation>>,
}

/// The clients at work.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

/// Returns the next number of a small generator.
pub fn step(mut seed: u64) -> u64 {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^ (seed << 17)
}

impl Load {
    /// Starts `clients`, spread over all addresses. They use kv version 2 at `load/`, from record
    /// `first` on: a record that another load has used has a history before this one.
    pub fn start(
        addresses: Vec<SocketAddr>,
        token: &str,
        clients: usize,
        seed: u64,
        first: u64,
    ) -> Self {
        let shared = Arc::new(Shared {
            addresses,
            token: token.to_owned(),
            begun: Instant::now(),
            stop: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            values: AtomicU64::new(1),
            first,
            history: Mutex::default(),
        });
        let clients = (0..clients).map(|number| {
            let shared = Arc::clone(&shared);
            let dice = step(seed.wrapping_mul(31) + number as u64 + 1);
            std::thread::spawn(move || client(&shared, number, dice))
        });
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Returns the time in nanoseconds, on the history's clock.
    pub fn now(&self) -> u64 {
        now(&self.shared)
    }

    /// Returns the number of calls that were answered after `moment`.
    pub fn count_after(&self, moment: u64) -> usize {
        let history = self.shared.history.lock().unwrap();
        let told = |call: &&Operation| call.answered > moment && call.outcome != Outcome::Unknown;
        history
            .iter()
            .rev()
            .take_while(|call| call.answered + 10_000_000_000 > moment)
            .filter(told)
            .count()
    }

    /// Returns the longest time between two acknowledged puts, from the last one before `from` on.
    pub fn longest_silence(&self, from: u64, until: u64) -> u64 {
        let history = self.shared.history.lock().unwrap();
        let wrote = |call: &&Operation| matches!(call.outcome, Outcome::Wrote { .. });
        let mut times: Vec<u64> = history
            .iter()
            .filter(wrote)
            .map(|call| call.answered)
            .collect();
        drop(history);
        times.sort_unstable();
        let first = times.partition_point(|at| *at <= from).saturating_sub(1);
        let last = times.partition_point(|at| *at <= until);
        let gaps = times[first..last].windows(2).map(|two| two[1] - two[0]);
        gaps.max().unwrap_or(until - from)
    }

    /// Returns the total time without an acknowledged put between two moments, and the number of
    /// such silences; those shorter than `noise` do not count.
    pub fn interruptions(&self, from: u64, until: u64, noise: u64) -> (u64, usize) {
        let history = self.shared.history.lock().unwrap();
        let wrote = |call: &&Operation| matches!(call.outcome, Outcome::Wrote { .. });
        let answered = history.iter().filter(wrote).map(|call| call.answered);
        let mut times: Vec<u64> = answered.filter(|at| (from..until).contains(at)).collect();
        drop(history);
        times.extend([from, until]);
        times.sort_unstable();
        let gaps = times.windows(2).map(|two| two[1] - two[0]);
        let long: Vec<u64> = gaps.filter(|gap| *gap > noise).collect();
        (long.iter().sum(), long.len())
    }

    /// Returns the time at which the first put sent after `moment` was acknowledged.
    pub fn acknowledged_after(&self, moment: u64) -> Option<u64> {
        let history = self.shared.history.lock().unwrap();
        let wrote =
            |call: &&Operation| call.sent > moment && matches!(call.outcome, Outcome::Wrote { .. });
        history.iter().filter(wrote).map(|call| call.answered).min()
    }

    /// Stops the clients; returns all their calls.
    pub fn stop(self) -> Vec<Operation> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        std::mem::take(&mut self.shared.history.lock().unwrap())
    }
}

fn now(shared: &Shared) -> u64 {
    u64::try_from(shared.begun.elapsed().as_nanos()).unwrap()
}

fn client(shared: &Shared, number: usize, mut dice: u64) {
    let mut at = number % shared.addresses.len();
    let mut connection = Connection::new(shared.addresses[at], PATIENCE);
    let mut version = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        dice = step(dice);
        let turn = shared.calls.fetch_add(1, Ordering::Relaxed);
        let round = turn / (CALLS_PER_RECORD * RECORDS);
        let key = shared.first + round * RECORDS + turn % RECORDS;
        let value = shared.values.fetch_add(1, Ordering::Relaxed);
        let action = match dice % 10 {
            0..=3 => Action::Put { value },
            4..=5 => Action::Cas { version, value },
            6..=8 => Action::Get,
            _ => Action::Delete,
        };
        let sent = now(shared);
        let outcome = act(&mut connection, &shared.token, key, action);
        let answered = now(shared);
        if let Some(Outcome::Wrote { version: seen } | Outcome::Found { version: seen, .. }) =
            outcome
        {
            version = seen;
        }
        let told = matches!(outcome, Some(outcome) if outcome != Outcome::Unknown);
        // A get without an outcome tells nothing, and a call that was not sent did nothing.
        if let Some(outcome) = outcome.filter(|_| told || action != Action::Get) {
            shared.history.lock().unwrap().push(Operation {
                key,
                client: number,
                sent,
                answered,
                action,
                outcome,
            });
        }
        if !told {
            at = (at + 1) % shared.addresses.len();
            connection = Connection::new(shared.addresses[at], PATIENCE);
            std::thread::park_timeout(PAUSE);
        }
    }
}

/// Makes one call and returns its outcome; `None` if it was not even sent.
fn act(connection: &mut Connection, token: &str, key: u64, action: Action) -> Option<Outcome> {
    let path = format!("load/data/r{key}");
    let put = |value: u64, options: Value| json!({"data": {"v": value, "canary": BODY_CANARY}, "options": options});
    let (method, body) = match action {
        Action::Put { value } => ("PUT", Some(put(value, json!({})))),
        Action::Cas { version, value } => ("PUT", Some(put(value, json!({"cas": version})))),
        Action::Get => ("GET", None),
        Action::Delete => ("DELETE", None),
    };
    let (status, answer) = match connection.send(method, &path, token, body.as_ref()) {
        Ok(answer) => answer,
        Err(Lost::NotSent) => return None,
        Err(Lost::Unknown) => return Some(Outcome::Unknown),
    };
    let outcome = match (action, status) {
        (Action::Put { .. } | Action::Cas { .. }, 200) => Outcome::Wrote {
            version: answer["data"]["version"].as_u64().unwrap(),
        },
        (Action::Cas { .. }, 400) if answer.to_string().contains("check-and-set") => {
            Outcome::Conflict
        }
        (Action::Get, 200) => Outcome::Found {
            version: answer["data"]["metadata"]["version"].as_u64().unwrap(),
            value: answer["data"]["data"]["v"].as_u64().unwrap(),
        },
        (Action::Get, 404) => Outcome::Missing,
        (Action::Delete, 200 | 204) => Outcome::Deleted,
        _ => Outcome::Unknown,
    };
    Some(outcome)
}
