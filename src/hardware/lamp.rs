//! The language of one lamp: rhythm, and colour for lamps that have some.
//!
//! Each rhythm differs from all others, so that a lamp without colours, or an eye that does not
//! tell them apart, shows the same. A light with dips is a node that answers, darkness with flashes
//! one that does not.

use super::colour::Colour;
use super::condition::Condition;
use super::pattern::{Frame, Pattern, PatternStep};

/// The length of a dip in a light that is otherwise lit, and of the light between two dips.
const DIP_MS: u64 = 200;
/// The time between two groups of dips.
const BETWEEN_DIPS_MS: u64 = 5_000;
/// The number of dips for a write budget that was passed, and for a disk that is full or fails.
const BUDGET_DIPS: u64 = 2;
const DISK_DIPS: u64 = 3;
/// The flash for an unseal key that was given, and for one that is missing.
const GIVEN_MS: u64 = 900;
const MISSING_MS: u64 = 150;
/// The flash before the keys of a node that is needed: longer than any of theirs.
const NEEDED_MS: u64 = 3_000;
/// The dark time between two flashes, and behind the last.
const GAP_MS: u64 = 350;
const PAUSE_MS: u64 = 2_500;
/// The most keys that are shown one by one; more are shown in proportion.
const KEYS_MAX: u64 = 8;

pub(super) fn pattern(condition: &Condition) -> Pattern {
    match condition {
        Condition::Starting => rhythm(Colour::WHITE, &[500, 500]),
        Condition::Uninitialised => rhythm(Colour::MAGENTA, &[2_000, 2_000]),
        Condition::Joining => rhythm(Colour::CYAN, &[150, 150, 450, 1_250]),
        Condition::Sealed { given, needed } => rhythm(Colour::AMBER, &keys(*given, *needed)),
        Condition::Needed { given, needed } => {
            let mut times_ms = vec![NEEDED_MS, GAP_MS];
            times_ms.extend(keys(*given, *needed));
            rhythm(Colour::AMBER, &times_ms)
        }
        Condition::Standby(_) => dips(Colour::BLUE, 1),
        Condition::Active(_) => Pattern::steady(Frame::Lamp(Colour::GREEN)),
        Condition::NoQuorum(_) => rhythm(Colour::RED, &[250, 250]),
        Condition::SeenTwice => rhythm(Colour::MAGENTA, &[3_000, 200, 200, 1_000]),
        Condition::WriteBudget => dips(Colour::AMBER, BUDGET_DIPS),
        Condition::Disk(_) => dips(Colour::RED, DISK_DIPS),
        Condition::Stopping => rhythm(Colour::WHITE, &[100, 900]),
    }
}

/// Returns a pattern that is lit, dark, lit, dark and so on, each for so many milliseconds.
fn rhythm(colour: Colour, times_ms: &[u64]) -> Pattern {
    let colours = [colour, Colour::DARK].into_iter().cycle();
    let mut steps = colours.zip(times_ms).map(|(colour, ms)| PatternStep {
        frame: Frame::Lamp(colour),
        ms: *ms,
    });
    match steps.next() {
        Some(first) => Pattern::cycle(first, steps),
        None => Pattern::steady(Frame::Lamp(colour)),
    }
}

fn dips(colour: Colour, count: u64) -> Pattern {
    let group_ms = (2 * count - 1) * DIP_MS;
    let mut times_ms = vec![BETWEEN_DIPS_MS - group_ms];
    times_ms.extend((1..2 * count).map(|_| DIP_MS));
    rhythm(colour, &times_ms)
}

/// Returns one flash for each key: long for those that were given, then short for those that are
/// missing.
fn keys(given: u8, needed: u8) -> Vec<u64> {
    let (given, needed) = in_slots(given, needed, KEYS_MAX);
    let mut times_ms = Vec::new();
    for key in 0..needed {
        let lit_ms = if key < given { GIVEN_MS } else { MISSING_MS };
        times_ms.extend([lit_ms, GAP_MS]);
    }
    if let Some(last) = times_ms.last_mut() {
        *last = PAUSE_MS;
    }
    times_ms
}

/// Reduces the numbers of keys given and needed to at most `slots`. At least one key is needed, and
/// at least one is missing.
pub(super) fn in_slots(given: u8, needed: u8, slots: u64) -> (u64, u64) {
    let (given, needed) = (u64::from(given), u64::from(needed.max(1)));
    let shown = needed.min(slots);
    ((given * shown / needed).min(shown - 1), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_are_told_in_proportion_and_never_as_complete() {
        assert_eq!(in_slots(0, 0, 8), (0, 1), "not known yet");
        assert_eq!(in_slots(2, 3, 8), (2, 3));
        assert_eq!(in_slots(10, 20, 8), (4, 8));
        assert_eq!(in_slots(254, 255, 8), (7, 8));
    }
}
