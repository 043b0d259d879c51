//! Bounds what requests without a good token write to the audit log.
//!
//! A request without a good token costs its sender some dozens of bytes and would cost the log two
//! lines. So what such requests write is bounded by what they brought: [`FACTOR`] times their
//! bytes, beside an amount that is there for the usual mistakes and comes back slowly. Beyond that
//! they are counted, and one line tells how many there were and from where. None of them got
//! anything: what is executed has its two lines always.

use crate::clock::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes of the log for a byte of such requests.
pub const FACTOR: u64 = 4;
/// Bytes of the log that need no request's bytes.
pub const BURST_BYTES: u64 = 1024 * 1024;
/// Bytes of that allowance that come back in a second.
pub const REFILL_BYTES_PER_S: u64 = 1024;
/// The time between the lines that sum up.
pub const SUM_INTERVAL: Duration = Duration::from_secs(10);
/// Most addresses in a line that sums up.
const ADDRESSES_MAX: usize = 16;

/// The account of all strangers.
pub(super) struct Refusals {
    inside: Mutex<Inside>,
}

struct Inside {
    left: u64,
    counted_at: Instant,
    sum: Option<Sum>,
}

/// Refusals that have no lines of their own.
struct Sum {
    since: Timestamp,
    count: u64,
    bytes: u64,
    addresses: BTreeMap<String, u64>,
}

/// Says whether a refusal is told alone or summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// In lines of its own.
    Alone,
    /// In a line with others.
    Summed {
        /// The first of them: somebody has to write that line after [`SUM_INTERVAL`].
        is_first: bool,
    },
}

impl Refusals {
    pub fn new() -> Self {
        Self {
            inside: Mutex::new(Inside {
                left: BURST_BYTES,
                counted_at: Instant::now(),
                sum: None,
            }),
        }
    }

    /// Takes down a refusal of a request of `bytes`.
    pub fn take(
        &self,
        bytes: u64,
        address: Option<SocketAddr>,
        time: Timestamp,
        now: Instant,
    ) -> Told {
        let mut inside = self.inside();
        let passed = now.saturating_duration_since(inside.counted_at);
        let refill = passed.as_secs().saturating_mul(REFILL_BYTES_PER_S);
        inside.counted_at += Duration::from_secs(passed.as_secs());
        let earned = bytes.saturating_mul(FACTOR).saturating_add(refill);
        inside.left = inside.left.saturating_add(earned).min(BURST_BYTES);
        if inside.left >= Self::cost(bytes) {
            return Told::Alone;
        }
        let is_first = inside.sum.is_none();
        let sum = inside.sum.get_or_insert_with(|| Sum {
            since: time,
            count: 0,
            bytes: 0,
            addresses: BTreeMap::new(),
        });
        sum.count += 1;
        sum.bytes = sum.bytes.saturating_add(bytes);
        let address = address.map_or_else(String::new, |address| address.ip().to_string());
        if sum.addresses.contains_key(&address) || sum.addresses.len() < ADDRESSES_MAX {
            *sum.addresses.entry(address).or_default() += 1;
        }
        Told::Summed { is_first }
    }

    /// The most that two lines about a request of `bytes` take: its path stands in both, and a
    /// byte of it can become two.
    fn cost(bytes: u64) -> u64 {
        const LINES_BYTES: u64 = 2048;
        let most = bytes.saturating_mul(FACTOR).saturating_add(LINES_BYTES);
        most.min(BURST_BYTES)
    }

    /// Lines of `bytes` were written.
    pub fn spend(&self, bytes: u64) {
        let mut inside = self.inside();
        inside.left = inside.left.saturating_sub(bytes);
    }

    /// The line about those that were counted.
    pub fn sum(&self, now: Timestamp) -> Option<Value> {
        let sum = self.inside().sum.take()?;
        Some(json!({
            "time": now.rfc3339(),
            "type": "refusals",
            "refusals": {
                "since": sum.since.rfc3339(),
                "count": sum.count,
                "request_bytes": sum.bytes,
                "remote_addresses": sum.addresses,
            },
        }))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST_BYTES: u64 = 60;
    const LINES_BYTES: u64 = 1200;

    #[test]
    fn a_flood_of_small_requests_writes_little_more_than_it_brings() {
        let refusals = Refusals::new();
        let (time, now) = (Timestamp::from_secs(1_700_000_000), Instant::now());
        let (mut sent, mut written, mut summed) = (0, 0, 0);
        let address = "192.0.2.1:9".parse().ok();
        for _ in 0..100_000 {
            sent += REQUEST_BYTES;
            match refusals.take(REQUEST_BYTES, address, time, now) {
                Told::Alone => {
                    refusals.spend(LINES_BYTES);
                    written += LINES_BYTES;
                }
                Told::Summed { is_first } => {
                    assert_eq!(is_first, summed == 0);
                    summed += 1;
                }
            }
        }
        assert!(written <= FACTOR * sent + BURST_BYTES, "{written}");
        assert!(written >= FACTOR * sent, "what may be written is written");
        let line = refusals.sum(time).expect("a line");
        assert_eq!(line["refusals"]["count"], json!(summed));
        assert_eq!(
            line["refusals"]["remote_addresses"],
            json!({"192.0.2.1": summed})
        );
        assert!(refusals.sum(time).is_none(), "it is told once");
    }

    #[test]
    fn what_is_left_comes_back() {
        let refusals = Refusals::new();
        let (time, now) = (Timestamp::from_secs(1_700_000_000), Instant::now());
        refusals.spend(BURST_BYTES);
        let told = refusals.take(1, None, time, now);
        assert_eq!(told, Told::Summed { is_first: true });
        let later = now + Duration::from_secs(10);
        assert_eq!(refusals.take(1, None, time, later), Told::Alone);
    }
}
