//! Bounds the lines of requests without a good token in the audit log.
//!
//! A request without a good token costs its sender some dozens of bytes and would cost the log two
//! lines. So each address (of IPv6: each network of 64 bits) has an account: [`FACTOR`] times the
//! bytes that it sent, beside an amount that is there for the usual mistakes and comes back slowly.
//! Beyond that its requests are counted, and one line gives their number and their addresses. None
//! of these requests is served: a refused one is refused in any case, and one to an open path is
//! answered 429 and executed only with its two lines. A login that succeeds costs nothing.

use crate::clock::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes of the log for each byte of such requests.
pub const FACTOR: u64 = 4;
/// Bytes of the log for each address without any bytes of requests.
pub const BURST_BYTES: u64 = 128 * 1024;
/// Bytes of that allowance that come back in a second.
pub const REFILL_BYTES_PER_S: u64 = 1024;
/// The time between the lines that sum up refusals.
pub const SUM_INTERVAL: Duration = Duration::from_secs(10);
/// Most addresses in a line that sums up.
const ADDRESSES_MAX: usize = 16;
/// Most accounts. Further addresses share one.
const ACCOUNTS_MAX: usize = 1024;

/// The accounts of all addresses.
pub(super) struct Refusals {
    inside: Mutex<Inside>,
}

struct Inside {
    accounts: HashMap<Source, Account>,
    others: Account,
    sum: Option<Sum>,
}

/// An address or a network; `None` on a unix socket.
type Source = Option<IpAddr>;

#[derive(Clone, Copy)]
struct Account {
    left: u64,
    counted_at: Instant,
}

/// The refusals that have no lines of their own.
struct Sum {
    since: Timestamp,
    count: u64,
    bytes: u64,
    addresses: BTreeMap<String, u64>,
}

/// The way in which a request is told in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The request has lines of its own, for which this many bytes are reserved until
    /// [`Refusals::settle`].
    Alone {
        /// Bytes of the log.
        reserved: u64,
    },
    /// The request is counted in a line with others.
    Summed {
        /// True for the first of them: the caller has to write that line after [`SUM_INTERVAL`].
        is_first: bool,
    },
}

impl Account {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST_BYTES,
            counted_at: now,
        }
    }

    /// Adds the allowance of the time since the last call.
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.counted_at).as_secs();
        self.counted_at += Duration::from_secs(passed);
        self.add(passed.saturating_mul(REFILL_BYTES_PER_S));
    }

    fn add(&mut self, bytes: u64) {
        self.left = self.left.saturating_add(bytes).min(BURST_BYTES);
    }
}

impl Inside {
    /// Returns the account of `source`, or the shared one when there are too many.
    fn account(&mut self, source: Source, now: Instant) -> &mut Account {
        if !self.accounts.contains_key(&source) && self.accounts.len() >= ACCOUNTS_MAX {
            self.accounts.retain(|_, account| {
                account.refill(now);
                account.left < BURST_BYTES
            });
        }
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(&source) {
            return &mut self.others;
        }
        self.accounts
            .entry(source)
            .or_insert_with(|| Account::new(now))
    }
}

impl Refusals {
    pub fn new() -> Self {
        Self {
            inside: Mutex::new(Inside {
                accounts: HashMap::new(),
                others: Account::new(Instant::now()),
                sum: None,
            }),
        }
    }

    /// Records a request of `bytes` without a good token.
    pub fn take(
        &self,
        bytes: u64,
        address: Option<SocketAddr>,
        time: Timestamp,
        now: Instant,
    ) -> Told {
        let mut inside = self.inside();
        let account = inside.account(source(address), now);
        account.refill(now);
        account.add(bytes.saturating_mul(FACTOR));
        let cost = Self::cost(bytes);
        if let Some(left) = account.left.checked_sub(cost) {
            account.left = left;
            return Told::Alone { reserved: cost };
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

    /// Returns the most bytes that two lines about a request of `bytes` take: its path stands in
    /// both, and a byte of it can become two.
    fn cost(bytes: u64) -> u64 {
        const LINES_BYTES: u64 = 2048;
        let most = bytes.saturating_mul(FACTOR).saturating_add(LINES_BYTES);
        most.min(BURST_BYTES)
    }

    /// Settles an account after lines of `bytes`, for which `reserved` were taken.
    pub fn settle(&self, address: Option<SocketAddr>, reserved: u64, bytes: u64) {
        let mut inside = self.inside();
        let account = inside.account(source(address), Instant::now());
        // First the missing bytes are taken, so that a full account loses them as well.
        account.left = account.left.saturating_sub(bytes.saturating_sub(reserved));
        account.add(reserved.saturating_sub(bytes));
    }

    /// Returns the line about the requests that were counted.
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

/// Returns the source of an address; a sender of IPv6 usually has a network of 64 bits.
fn source(address: Option<SocketAddr>) -> Source {
    const NETWORK: u128 = !(u64::MAX as u128);
    address.map(|address| match address.ip().to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & NETWORK)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST_BYTES: u64 = 60;
    const LINES_BYTES: u64 = 1200;

    fn address(text: &str) -> Option<SocketAddr> {
        Some(text.parse().expect("an address"))
    }

    /// Sends requests until one is summed up; returns the number of those that were not.
    fn exhaust(refusals: &Refusals, from: Option<SocketAddr>, now: Instant) -> u64 {
        let time = Timestamp::from_secs(1_700_000_000);
        (0..)
            .take_while(|_| matches!(refusals.take(0, from, time, now), Told::Alone { .. }))
            .count() as u64
    }

    #[test]
    fn a_flood_of_small_requests_writes_little_more_than_it_brings() {
        let refusals = Refusals::new();
        let (time, now) = (Timestamp::from_secs(1_700_000_000), Instant::now());
        let (mut sent, mut written, mut summed) = (0, 0, 0);
        let from = address("192.0.2.1:9");
        for _ in 0..100_000 {
            sent += REQUEST_BYTES;
            match refusals.take(REQUEST_BYTES, from, time, now) {
                Told::Alone { reserved } => {
                    refusals.settle(from, reserved, LINES_BYTES);
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
        assert!(exhaust(&refusals, None, now) > 10);
        let told = refusals.take(0, None, time, now);
        assert_eq!(told, Told::Summed { is_first: false });
        let later = now + Duration::from_secs(10);
        let told = refusals.take(0, None, time, later);
        assert!(matches!(told, Told::Alone { .. }), "{told:?}");
    }

    #[test]
    fn who_floods_uses_up_its_own_account_only() {
        let refusals = Refusals::new();
        let now = Instant::now();
        let alone = exhaust(&refusals, address("192.0.2.1:9"), now);
        assert_eq!(exhaust(&refusals, address("192.0.2.1:10"), now), 0);
        assert_eq!(exhaust(&refusals, address("[::ffff:192.0.2.1]:1"), now), 0);
        assert_eq!(exhaust(&refusals, address("192.0.2.2:9"), now), alone);
        assert_eq!(exhaust(&refusals, address("[2001:db8::1]:9"), now), alone);
        assert_eq!(exhaust(&refusals, address("[2001:db8::ffff:2]:9"), now), 0);
        assert_eq!(
            exhaust(&refusals, address("[2001:db8:0:1::1]:9"), now),
            alone
        );
        assert_eq!(exhaust(&refusals, None, now), alone);
    }

    #[test]
    fn addresses_beyond_the_most_share_one_account() {
        let refusals = Refusals::new();
        let (time, now) = (Timestamp::from_secs(1_700_000_000), Instant::now());
        let at = |n: u32| Some(SocketAddr::from((std::net::Ipv4Addr::from(n), 1)));
        for n in 0..5000 {
            refusals.take(0, at(n), time, now);
        }
        assert_eq!(refusals.inside().accounts.len(), ACCOUNTS_MAX);
        assert_eq!(exhaust(&refusals, at(6000), now), 0, "it is used up");
        let later = now + Duration::from_secs(600);
        assert!(
            exhaust(&refusals, at(6000), later) > 10,
            "all are full again"
        );
        assert!(refusals.inside().accounts.len() < 3);
    }
}
