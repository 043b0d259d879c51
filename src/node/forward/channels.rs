//! Lets each number of a channel in once, so that no forwarded message is executed twice.
//!
//! The active node names a channel when a standby asks for one, and forgets it when it names that
//! standby another. Names are random, so an unknown one was named by another process or for another
//! member. A message can therefore be let in twice neither while a channel lasts nor after, and
//! only a window of numbers has to be remembered for each member.

use super::sealed::{CHANNEL_BYTES, Channel, Refusal};
use crate::peer::PublicKey;
use crate::secret::fill_random;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The number of later messages that may overtake one: far more than are under way at a time.
pub(super) const WINDOW: u64 = 1 << 14;
/// The most channels: one for each member; the one that was opened first goes.
const CHANNELS_MAX: usize = 64;
const WORD_BITS: u64 = 64;
const WORDS: usize = (WINDOW / WORD_BITS) as usize;

/// The channels of this process.
#[derive(Default)]
pub(super) struct Channels(Mutex<VecDeque<Known>>);

struct Known {
    from: PublicKey,
    name: Channel,
    window: Window,
}

impl Channels {
    /// Names a new channel for `from`, whose last one is forgotten.
    pub fn open(&self, from: &PublicKey) -> Channel {
        let mut name = [0; CHANNEL_BYTES];
        fill_random(&mut name);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.from != *from);
        if all.len() >= CHANNELS_MAX {
            all.pop_front();
        }
        all.push_back(Known {
            from: from.clone(),
            name,
            window: Window::default(),
        });
        name
    }

    /// Lets a message in, once. The caller has opened it: its number is believed here.
    pub fn admit(&self, from: &PublicKey, name: &Channel, number: u64) -> Result<(), Refusal> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all
            .iter_mut()
            .find(|known| known.from == *from && known.name == *name);
        known.ok_or(Refusal::UnknownChannel)?.window.admit(number)
    }
}

/// The last [`WINDOW`] numbers, a bit for each that was seen.
struct Window {
    /// One more than the highest number that was seen.
    next: u64,
    seen: Box<[u64; WORDS]>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            next: 0,
            seen: Box::new([0; WORDS]),
        }
    }
}

impl Window {
    fn admit(&mut self, number: u64) -> Result<(), Refusal> {
        // The highest has no number after it, which the window needs.
        if number.saturating_add(WINDOW) < self.next || number == u64::MAX {
            return Err(Refusal::Overtaken);
        }
        if number >= self.next {
            self.advance(number);
        }
        let bit = 1 << (number % WORD_BITS);
        let word = self.word(number);
        if *word & bit != 0 {
            return Err(Refusal::Repeated);
        }
        *word |= bit;
        Ok(())
    }

    /// Makes room for `number`: numbers that fall out of the window at its end are forgotten.
    fn advance(&mut self, number: u64) {
        let steps = (number - self.next).saturating_add(1);
        if steps >= WINDOW {
            self.seen.fill(0);
        } else {
            for new in self.next..=number {
                *self.word(new) &= !(1 << (new % WORD_BITS));
            }
        }
        self.next = number.saturating_add(1);
    }

    fn word(&mut self, number: u64) -> &mut u64 {
        let at = (number / WORD_BITS) as usize % WORDS;
        self.seen.get_mut(at).expect("a remainder is in range")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::collections::HashSet;

    fn member(name: &'static str) -> PublicKey {
        PublicKey(Bytes::from_static(name.as_bytes()))
    }

    #[test]
    fn each_number_is_let_in_once_in_any_order() {
        let mut window = Window::default();
        let mut model = HashSet::new();
        let mut state = 7_u64;
        for round in 0..50_000_u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let number = (round + (state >> 33) % 3000).saturating_sub(1500);
            let is_new = model.insert(number);
            let expected = match is_new {
                true => Ok(()),
                false => Err(Refusal::Repeated),
            };
            assert_eq!(window.admit(number), expected, "{number} in round {round}");
        }
    }

    #[test]
    fn what_was_overtaken_by_a_whole_window_is_refused_whether_it_was_seen_or_not() {
        let mut window = Window::default();
        assert_eq!(window.admit(0), Ok(()));
        assert_eq!(window.admit(WINDOW), Ok(()));
        assert_eq!(window.admit(0), Err(Refusal::Overtaken));
        assert_eq!(window.admit(1), Ok(()), "the last that is remembered");
        assert_eq!(window.admit(1), Err(Refusal::Repeated));
        assert_eq!(window.admit(10 * WINDOW), Ok(()), "a leap");
        assert_eq!(window.admit(WINDOW), Err(Refusal::Overtaken));
        assert_eq!(window.admit(9 * WINDOW + 1), Ok(()));
        assert_eq!(window.admit(u64::MAX - 1), Ok(()));
        assert_eq!(window.admit(u64::MAX - 1), Err(Refusal::Repeated));
        assert_eq!(window.admit(u64::MAX), Err(Refusal::Overtaken));
    }

    #[test]
    fn a_channel_is_its_members_and_ends_with_the_next() {
        let channels = Channels::default();
        let (a, b) = (member("a"), member("b"));
        let first = channels.open(&a);
        assert_eq!(channels.admit(&a, &first, 0), Ok(()));
        let refused = channels.admit(&b, &first, 1);
        assert_eq!(refused, Err(Refusal::UnknownChannel), "another member's");
        let second = channels.open(&a);
        let refused = channels.admit(&a, &first, 1);
        assert_eq!(refused, Err(Refusal::UnknownChannel), "replaced");
        assert_eq!(channels.admit(&a, &second, 0), Ok(()));
        let other = Channels::default().admit(&a, &second, 1);
        assert_eq!(other, Err(Refusal::UnknownChannel), "of another process");
    }

    #[test]
    fn channels_are_bounded() {
        let channels = Channels::default();
        let names = (0..=CHANNELS_MAX).map(|at| PublicKey(Bytes::from(vec![at as u8])));
        let opened: Vec<_> = names.map(|key| (channels.open(&key), key)).collect();
        let admitted = opened
            .iter()
            .filter(|(name, key)| channels.admit(key, name, 0).is_ok());
        assert_eq!(admitted.count(), CHANNELS_MAX);
    }
}
