//! Places for connections: admits new ones and chooses those that give way.
//!
//! There is a number of places for all and a smaller one for each address; beyond the first there
//! are some for operators alone, whose connections come over a unix socket or from this machine. At
//! a limit the connection gives way that has waited longest for its client: first one on which no
//! good token came, and one of another machine before one of this machine. A connection never gives
//! way while a request of it is answered. If none can give way, a new connection waits a moment,
//! unless too many wait.

use super::activity::Activity;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};

/// Most places for operators alone, most connections that may be leaving, and most that wait for a
/// place; each at most a quarter of the places.
const EXTRA_MAX: usize = 32;
/// Longest time that a connection waits for a place before it is closed.
const WAIT_MAX: Duration = Duration::from_secs(10);

const fn extra(most: usize) -> usize {
    let quarter = most.div_ceil(4);
    if quarter < EXTRA_MAX {
        quarter
    } else {
        EXTRA_MAX
    }
}

/// Returns the most descriptors that `most` places take.
pub fn descriptors_for(most: usize) -> u64 {
    most.saturating_add(3 * extra(most)) as u64
}

/// Returns the most places that take no more than `descriptors`; at least one.
pub fn connections_within(descriptors: u64) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let many = descriptors.saturating_sub(3 * EXTRA_MAX);
    // With few places the extra ones are three quarters of them, rounded up.
    let few = (descriptors.saturating_sub(3) / 7).saturating_mul(4);
    many.max(few.min(4 * EXTRA_MAX)).max(1)
}

/// The places of all connections.
pub(super) struct Places {
    most: usize,
    inside: Mutex<Inside>,
    waiting: Arc<Semaphore>,
    /// Notified when a place becomes free.
    freed: Notify,
}

#[derive(Default)]
struct Inside {
    next: u64,
    /// The seats, in the order in which they were taken.
    seats: BTreeMap<u64, Seat>,
    /// The number of seats of an address that are not leaving.
    by_address: HashMap<IpAddr, usize>,
    leaving: usize,
}

struct Seat {
    guest: Guest,
    activity: Arc<Activity>,
    is_leaving: bool,
}

/// A connection that wants a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    /// Its address; `None` on a unix socket.
    address: Option<IpAddr>,
    /// The most places for this address; `None` where it is not counted.
    most: Option<usize>,
}

impl Guest {
    /// Returns a connection from `address`, which may have `most` of them.
    pub(super) fn new(address: Option<IpAddr>, most: Option<usize>) -> Self {
        let address = address.map(|address| address.to_canonical());
        Self { address, most }
    }

    fn is_operator(self) -> bool {
        self.address.is_none_or(|address| address.is_loopback())
    }
}

/// A place that is taken; free again when it is dropped.
pub(super) struct Permit {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    /// Returns `most` places, and some more for operators.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            most,
            inside: Mutex::default(),
            waiting: Arc::new(Semaphore::new(extra(most))),
            freed: Notify::new(),
        })
    }

    /// Takes a place for `guest`, if necessary by asking another connection to leave; returns
    /// `None` when all are busy.
    pub(super) fn take(self: &Arc<Self>, guest: Guest, activity: &Arc<Activity>) -> Option<Permit> {
        let mut inside = self.inside();
        let number = inside.next;
        if !inside.make_room(guest, self.most) {
            return None;
        }
        inside.next += 1;
        inside.count(guest, 1);
        let seat = Seat {
            guest,
            activity: Arc::clone(activity),
            is_leaving: false,
        };
        inside.seats.insert(number, seat);
        drop(inside);
        Some(Permit {
            places: Arc::clone(self),
            number,
        })
    }

    /// Waits a moment for a place. Returns `None` if too many wait, or the wait was in vain.
    pub(super) async fn wait(
        self: &Arc<Self>,
        guest: Guest,
        activity: &Arc<Activity>,
    ) -> Option<Permit> {
        let _queued = self.waiting.try_acquire().ok()?;
        let waited = async {
            loop {
                let freed = self.freed.notified();
                if let Some(place) = self.take(guest, activity) {
                    return place;
                }
                freed.await;
            }
        };
        timeout(WAIT_MAX, waited).await.ok()
    }

    /// Returns true while a connection waits for a place.
    pub(super) fn are_waited_for(&self) -> bool {
        self.waiting.available_permits() < extra(self.most)
    }

    /// Returns the number of places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.inside().seats.len()
    }

    /// Returns once no place is taken.
    pub(super) async fn emptied(&self) {
        loop {
            let freed = self.freed.notified();
            if self.taken() == 0 {
                return;
            }
            freed.await;
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut inside = self.places.inside();
        if let Some(seat) = inside.seats.remove(&self.number) {
            match seat.is_leaving {
                true => inside.leaving = inside.leaving.saturating_sub(1),
                false => inside.count(seat.guest, -1),
            }
        }
        drop(inside);
        self.places.freed.notify_waiters();
    }
}

impl Inside {
    /// Makes room for `guest`; returns false when no connection can give way to it.
    fn make_room(&mut self, guest: Guest, most: usize) -> bool {
        let held = guest
            .address
            .and_then(|address| self.by_address.get(&address));
        if let (Some(held), Some(limit)) = (held, guest.most)
            && *held >= limit.max(1)
        {
            return self.one_leaves(most, |seat| seat.guest.address == guest.address);
        }
        let limit = match guest.is_operator() {
            true => most + extra(most),
            false => most,
        };
        let is_full = self.seats.len() - self.leaving >= limit;
        if !is_full {
            return true;
        }
        // The operators' own places are not for others.
        let seats = self.seats.values();
        let operators = seats.filter(|seat| !seat.is_leaving && seat.guest.is_operator());
        let spares_operators = !guest.is_operator() && operators.count() <= extra(most);
        self.one_leaves(most, |seat| !(spares_operators && seat.guest.is_operator()))
    }

    /// Asks the connection among the candidates that ranks first to leave. Its place counts as free
    /// from now on. Returns false if none can.
    fn one_leaves(&mut self, most: usize, among: impl Fn(&Seat) -> bool) -> bool {
        if self.leaving >= extra(most) {
            return false;
        }
        let mut first: Option<((bool, bool, Instant), u64)> = None;
        for (number, seat) in &self.seats {
            if seat.is_leaving || !among(seat) {
                continue;
            }
            let Some(since) = seat.activity.waits_since() else {
                continue;
            };
            let rank = (seat.activity.is_known(), seat.guest.is_operator(), since);
            if first.is_none_or(|(best, _)| rank < best) {
                first = Some((rank, *number));
            }
        }
        let Some(seat) = first.and_then(|(_, number)| self.seats.get_mut(&number)) else {
            return false;
        };
        seat.is_leaving = true;
        seat.activity.ask_to_leave();
        let guest = seat.guest;
        self.leaving += 1;
        self.count(guest, -1);
        true
    }

    fn count(&mut self, guest: Guest, change: isize) {
        let Some(address) = guest.address else {
            return;
        };
        let held = self.by_address.entry(address).or_default();
        *held = held.saturating_add_signed(change);
        if *held == 0 {
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const FAR: &str = "192.0.2.1";
    const HOME: &str = "127.0.0.1";

    fn guest(address: &str) -> Guest {
        Guest::new(Some(address.parse().expect("an address")), None)
    }

    fn activity() -> Arc<Activity> {
        Activity::new(Duration::from_secs(10), Duration::from_secs(300))
    }

    fn take(places: &Arc<Places>, guest: Guest) -> Option<(Permit, Arc<Activity>)> {
        let activity = activity();
        let place = places.take(guest, &activity)?;
        Some((place, activity))
    }

    /// Moves the paused clock, so that one connection waits longer than the next.
    async fn later() {
        tokio::time::advance(Duration::from_millis(10)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_longest_gives_way_and_who_works_does_not() {
        let places = Places::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(take(&places, guest(FAR)).expect("there is room"));
            later().await;
        }
        taken[0].1.begin();
        taken[1].1.know();
        let newcomer = take(&places, guest("192.0.2.2")).expect("one gives way");
        let leave = |taken: &[(Permit, Arc<Activity>)]| -> Vec<bool> {
            taken
                .iter()
                .map(|(_, activity)| activity.must_leave())
                .collect()
        };
        assert_eq!(
            leave(&taken),
            [false, false, true],
            "no good token came on the last"
        );
        newcomer.1.begin();
        drop(taken.pop());
        let another = take(&places, guest("192.0.2.3")).expect("one gives way");
        another.1.begin();
        assert_eq!(leave(&taken), [false, true]);
        drop(taken.pop());
        assert!(take(&places, guest(FAR)).is_none(), "all are busy");
        taken[0].1.end();
        assert!(take(&places, guest(FAR)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_makes_room_for_itself() {
        let places = Places::new(8);
        let bound = |address: &str| Guest::new(address.parse().ok(), Some(2));
        let other = take(&places, bound("192.0.2.2")).expect("room");
        later().await;
        let first = take(&places, bound(FAR)).expect("room");
        later().await;
        let mapped = take(&places, bound("::ffff:192.0.2.1")).expect("room");
        let third = take(&places, bound(FAR)).expect("the first gives way");
        assert!(first.1.must_leave() && !mapped.1.must_leave());
        assert!(!other.1.must_leave(), "the oldest of all is another's");
        drop(first);
        mapped.1.begin();
        third.1.begin();
        assert!(
            take(&places, bound(FAR)).is_none(),
            "all of its own are busy"
        );
        assert!(take(&places, bound("192.0.2.2")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn operators_have_places_of_their_own() {
        let places = Places::new(4);
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let taken = take(&places, guest(FAR)).expect("room");
                taken.1.begin();
                taken
            })
            .collect();
        assert!(take(&places, guest(FAR)).is_none());
        let own = take(&places, guest(HOME)).expect("this machine");
        assert!(
            take(&places, guest(FAR)).is_none(),
            "it gives no way to others"
        );
        let socket = take(&places, Guest::new(None, None)).expect("the first gives way");
        assert!(own.1.must_leave() && !socket.1.must_leave());
        drop((busy, own, socket));
        let many: Vec<_> = (0..5)
            .map(|_| take(&places, guest(HOME)).expect("room"))
            .collect();
        take(&places, guest(FAR)).expect("one of many gives way");
        assert_eq!(many.iter().filter(|(_, one)| one.must_leave()).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_all_are_busy_waits_a_moment() {
        let places = Places::new(1);
        let (place, busy) = take(&places, guest(FAR)).expect("room");
        busy.begin();
        let (activity, second) = (activity(), activity());
        let mut waits = Box::pin(places.wait(guest(FAR), &activity));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(places.are_waited_for());
        let too_many = places.wait(guest(FAR), &second).now_or_never();
        assert!(too_many.expect("no wait").is_none(), "one may wait");
        drop(place);
        let place = waits.await.expect("there is room");
        assert!(!places.are_waited_for());
        activity.begin();
        assert!(places.wait(guest(FAR), &second).await.is_none(), "in vain");
        assert_eq!(places.taken(), 1);
        drop(place);
        places.emptied().now_or_never().expect("nobody is left");
    }

    #[test]
    fn places_fit_into_descriptors() {
        for descriptors in (4..2000).chain([1 << 20]) {
            let most = connections_within(descriptors);
            assert!(
                descriptors_for(most) <= descriptors.max(4),
                "{descriptors}: {most}"
            );
            let share = usize::try_from(descriptors).unwrap() / 2;
            assert!(
                most >= share.saturating_sub(6).min(descriptors as usize),
                "{descriptors}"
            );
        }
    }
}
