//! The senders of wrong shares to `sys/drill`, and how long each waits.

use crate::clock::Timestamp;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// The wrong shares that a sender may give without a wait.
const FREE: u32 = 5;
/// The wait after them; each further wrong share doubles it.
const WAIT_MIN: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// The most senders of wrong shares that are remembered: beyond, the one is forgotten who gave one
/// longest ago.
const SENDERS_MAX: usize = 256;
/// The bits of an IPv6 address that one sender may choose freely.
const IPV6_OWN_BITS: u32 = 64;

/// The senders of wrong shares; they are forgotten when this node seals or steps down.
#[derive(Default)]
pub struct Guesses(Vec<Sender>);

struct Sender {
    /// `None` is the unix socket.
    address: Option<IpAddr>,
    wrong: u32,
    last: Timestamp,
}

impl Sender {
    fn may_try_at(&self) -> Timestamp {
        let Some(more) = self.wrong.checked_sub(FREE) else {
            return Timestamp(0);
        };
        let wait = WAIT_MIN.saturating_mul(2_u32.saturating_pow(more));
        self.last.plus(wait.min(WAIT_MAX))
    }
}

impl Guesses {
    /// Returns true where a sender is to wait.
    pub fn must_wait(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let address = address.map(known_by);
        let mut known = self.0.iter();
        known.any(|one| one.address == address && now < one.may_try_at())
    }

    /// Counts what came of a share from a sender.
    pub fn count(&mut self, address: Option<IpAddr>, is_known: bool, now: Timestamp) {
        let address = address.map(known_by);
        let before = self.0.iter().position(|one| one.address == address);
        let wrong = before.map_or(0, |at| self.0.remove(at).wrong);
        if is_known {
            return;
        }
        if self.0.len() >= SENDERS_MAX {
            self.0.remove(0);
        }
        self.0.push(Sender {
            address,
            wrong: wrong.saturating_add(1),
            last: now,
        });
    }
}

/// Returns the address by which a sender is known.
fn known_by(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            let bits = address.to_bits() >> IPV6_OWN_BITS << IPV6_OWN_BITS;
            Ipv6Addr::from_bits(bits).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn wrong_shares_make_their_sender_wait_and_nobody_else() {
        let (one, other) = ("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        let mut guesses = Guesses::default();
        for _ in 0..FREE - 1 {
            guesses.count(one, false, at(100));
        }
        assert!(!guesses.must_wait(one, at(100)));
        guesses.count(one, false, at(100));
        assert!(guesses.must_wait(one, at(109)) && !guesses.must_wait(one, at(110)));
        assert!(!guesses.must_wait(other, at(100)) && !guesses.must_wait(None, at(100)));
        for _ in 0..20 {
            guesses.count(one, false, at(200));
        }
        assert!(guesses.must_wait(one, at(200 + 3599)));
        assert!(!guesses.must_wait(one, at(200 + 3600)));
        guesses.count(one, true, at(9000));
        assert!(guesses.0.is_empty());
        for last in 0..=255 {
            let address = Some(IpAddr::from([10, 0, 1, last]));
            guesses.count(address, false, at(1));
        }
        guesses.count(other, false, at(2));
        assert_eq!(guesses.0.len(), SENDERS_MAX);
        assert!(guesses.0[0].address == Some(IpAddr::from([10, 0, 1, 1])));
    }

    #[test]
    fn a_network_of_one_household_is_one_sender() {
        let known = |text: &str| known_by(text.parse().unwrap()).to_string();
        assert_eq!(known("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(known("10.1.2.3"), "10.1.2.3");
        assert_eq!(known("::ffff:10.1.2.3"), "::ffff:10.1.2.3");
    }
}
