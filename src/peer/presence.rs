//! Notices when more than one process speaks with a member's key.
//!
//! Each process draws a number when it starts and sends it in its hello, so that a restart, a new
//! address and a second card in the same network can be told apart: the newest process of a member
//! is the one whose number came last, and the one before it is gone. When that one is heard of
//! again there are two. Addresses tell less: they change by themselves, and a host may have
//! several.
//!
//! A process of the release before sends no number. It counts as number zero, which may be the
//! newest any number of times, since a member may be upgraded and taken back.

use super::network::{Member, PublicKey};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The number of processes of the release before, which draw none.
const UNNUMBERED: u64 = 0;
/// The number of former processes of a member that are remembered.
const FORMER_MAX: usize = 16;
/// The time within which a sign that follows another is no news.
const NEWS_EVERY: Duration = Duration::from_secs(60);

/// Two processes that use one member's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTwice {
    /// The addresses from which the two processes spoke, or were reached, last: the newest first.
    pub addresses: [IpAddr; 2],
    /// The time of the last sign, to within a minute.
    pub at: Instant,
}

/// Members seen twice, by key.
pub type AllSeenTwice = BTreeMap<PublicKey, SeenTwice>;

/// The processes of all members of a network: see the module.
pub(super) struct Presence {
    /// See [`super::Limits::late_max`].
    late_max: Duration,
    members: Mutex<HashMap<PublicKey, Arc<Present>>>,
    seen_twice: Arc<watch::Sender<AllSeenTwice>>,
}

/// The processes of one member.
struct Present {
    newest: AtomicU64,
    history: Mutex<History>,
}

struct History {
    late_max: Duration,
    /// The address of the newest process.
    address: IpAddr,
    /// Former processes, in the order in which another followed each.
    former: VecDeque<Former>,
}

struct Former {
    number: u64,
    until: Instant,
}

impl History {
    /// Returns true when a message of the process `number` at `now` can only come from a process
    /// that runs.
    fn is_over(&self, number: u64, now: Instant) -> bool {
        let former = self.former.iter().find(|former| former.number == number);
        // One that is forgotten ended long ago.
        former.is_none_or(|former| now.saturating_duration_since(former.until) > self.late_max)
    }
}

/// The sign of life of one connection, with the member and the process that it belongs to.
pub(super) struct Sign {
    key: PublicKey,
    number: u64,
    address: IpAddr,
    present: Arc<Present>,
    seen_twice: Arc<watch::Sender<AllSeenTwice>>,
}

impl Presence {
    /// Returns a presence without members.
    pub fn new(late_max: Duration) -> Self {
        Self {
            late_max,
            members: Mutex::default(),
            seen_twice: Arc::new(watch::Sender::default()),
        }
    }

    /// Draws a number for this process.
    pub fn draw() -> u64 {
        let mut bytes = [0; 8];
        crate::secret::fill_random(&mut bytes);
        u64::from_le_bytes(bytes).max(UNNUMBERED + 1)
    }

    /// Notes the hello of a process, with its number if it has one.
    pub fn greet(&self, key: &PublicKey, number: Option<u64>, address: IpAddr) -> Sign {
        self.greet_at(key, number, address, Instant::now())
    }

    fn greet_at(
        &self,
        key: &PublicKey,
        number: Option<u64>,
        address: IpAddr,
        now: Instant,
    ) -> Sign {
        let number = number.unwrap_or(UNNUMBERED);
        let mut members = lock(&self.members);
        let present = members.entry(key.clone()).or_insert_with(|| {
            Arc::new(Present {
                newest: AtomicU64::new(number),
                history: Mutex::new(History {
                    late_max: self.late_max,
                    address,
                    former: VecDeque::new(),
                }),
            })
        });
        let sign = Sign {
            key: key.clone(),
            number,
            address,
            present: Arc::clone(present),
            seen_twice: Arc::clone(&self.seen_twice),
        };
        drop(members);
        sign.greeted(now);
        sign
    }

    /// Forgets all but `members`.
    pub fn retain(&self, members: &[Member]) {
        let is_member = |key: &PublicKey| members.iter().any(|member| member.public_key == *key);
        lock(&self.members).retain(|key, _| is_member(key));
        self.seen_twice.send_if_modified(|all| {
            let before = all.len();
            all.retain(|key, _| is_member(key));
            all.len() != before
        });
    }

    /// Follows the members whose keys two processes use.
    pub fn seen_twice(&self) -> watch::Receiver<AllSeenTwice> {
        self.seen_twice.subscribe()
    }
}

impl Sign {
    /// Notes that a message came over the connection.
    pub fn heard(&self) {
        if self.present.newest.load(Ordering::Relaxed) != self.number {
            self.heard_at(Instant::now());
        }
    }

    /// Reports a member seen twice when a process speaks that another followed long enough ago.
    fn heard_at(&self, now: Instant) {
        let history = lock(&self.present.history);
        let is_former = self.present.newest.load(Ordering::Relaxed) != self.number;
        if is_former && history.is_over(self.number, now) {
            self.tell([history.address, self.address], now);
        }
    }

    fn greeted(&self, now: Instant) {
        let mut history = lock(&self.present.history);
        let newest = self.present.newest.load(Ordering::Relaxed);
        if newest == self.number {
            history.address = self.address;
            return;
        }
        let is_known = history
            .former
            .iter()
            .any(|former| former.number == self.number);
        if is_known && self.number != UNNUMBERED {
            if !history.is_over(self.number, now) {
                // A hello that was on its way when the process ended.
                return;
            }
            self.tell([self.address, history.address], now);
        }
        let followed = Former {
            number: newest,
            until: now,
        };
        let others = |former: &Former| ![newest, self.number].contains(&former.number);
        history.former.retain(others);
        if history.former.len() >= FORMER_MAX {
            history.former.pop_front();
        }
        history.former.push_back(followed);
        history.address = self.address;
        self.present.newest.store(self.number, Ordering::Relaxed);
    }

    fn tell(&self, addresses: [IpAddr; 2], now: Instant) {
        self.seen_twice.send_if_modified(|all| {
            let known = all.get(&self.key);
            let is_news =
                known.is_none_or(|known| now.saturating_duration_since(known.at) >= NEWS_EVERY);
            if is_news {
                let seen = SeenTwice { addresses, at: now };
                all.insert(self.key.clone(), seen);
            }
            is_news
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    const LATE_MAX: Duration = Duration::from_secs(10);

    fn key() -> PublicKey {
        PublicKey(Bytes::from_static(b"k"))
    }

    fn seen(presence: &Presence) -> Option<[IpAddr; 2]> {
        let all = presence.seen_twice();
        all.borrow().get(&key()).map(|seen| seen.addresses)
    }

    #[test]
    fn restarts_and_other_addresses_are_one_member() {
        let presence = Presence::new(LATE_MAX);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = presence.greet_at(&key(), Some(1), HOME, at(0));
        // Another address, in turns, as a host with two networks has.
        let moved = presence.greet_at(&key(), Some(1), AWAY, at(1));
        for seconds in 2..100 {
            first.heard_at(at(seconds));
            moved.heard_at(at(seconds));
            drop(presence.greet_at(&key(), Some(1), HOME, at(seconds)));
        }
        // Restarts, each with what the one before sent last.
        let mut before = first;
        for number in 2..50 {
            let now = at(100 + 20 * number);
            let next = presence.greet_at(&key(), Some(number), HOME, now);
            before.heard_at(now + LATE_MAX);
            next.heard_at(now);
            before = next;
        }
        // The release before, and back.
        for number in [None, Some(90), None, Some(91)] {
            let now = at(5_000);
            presence.greet_at(&key(), number, HOME, now).heard_at(now);
        }
        assert_eq!(seen(&presence), None);
    }

    #[test]
    fn one_that_comes_back_after_another_was_there_is_told() {
        let presence = Presence::new(LATE_MAX);
        let now = Instant::now();
        for number in [1, 2, 1] {
            drop(presence.greet_at(&key(), Some(number), HOME, now));
        }
        assert_eq!(seen(&presence), None, "the last one was late");
        let later = now + LATE_MAX * 2;
        drop(presence.greet_at(&key(), Some(1), AWAY, later));
        assert_eq!(seen(&presence), Some([AWAY, HOME]));
    }

    #[test]
    fn one_that_goes_on_beside_another_is_told_whether_it_says_a_number_or_not() {
        for thief in [Some(7), None] {
            let presence = Presence::new(LATE_MAX);
            let start = Instant::now();
            let member = presence.greet_at(&key(), Some(1), HOME, start);
            let other = presence.greet_at(&key(), thief, AWAY, start);
            member.heard_at(start + LATE_MAX);
            assert_eq!(seen(&presence), None, "it may have been restarted");
            other.heard_at(start + LATE_MAX * 2);
            assert_eq!(seen(&presence), None);
            member.heard_at(start + LATE_MAX * 2);
            assert_eq!(seen(&presence), Some([AWAY, HOME]));
        }
    }

    #[test]
    fn who_says_another_number_each_time_does_not_hide() {
        let presence = Presence::new(LATE_MAX);
        let start = Instant::now();
        let member = presence.greet_at(&key(), Some(1), HOME, start);
        for number in 2..=12 {
            let now = start + Duration::from_secs(number);
            drop(presence.greet_at(&key(), Some(number), AWAY, now));
        }
        member.heard_at(start + Duration::from_secs(13));
        assert_eq!(seen(&presence), Some([AWAY, HOME]));
    }

    #[test]
    fn news_come_once_in_a_while_and_end_with_the_membership() {
        let presence = Presence::new(LATE_MAX);
        let start = Instant::now();
        let member = presence.greet_at(&key(), Some(1), HOME, start);
        let _other = presence.greet_at(&key(), Some(2), AWAY, start);
        let mut told = presence.seen_twice();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (seconds, is_news) in [(11, true), (12, false), (70, false), (71, true)] {
            member.heard_at(at(seconds));
            assert_eq!(told.has_changed().unwrap(), is_news, "{seconds}");
            told.mark_unchanged();
        }
        presence.retain(&[]);
        assert!(told.borrow().is_empty());
    }
}
