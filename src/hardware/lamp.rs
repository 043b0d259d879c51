//! The language of one lamp: rhythm, and colour for lamps that have some.
//!
//! Each rhythm differs from all others, so a lamp without colours, or an eye that does not tell
//! them apart, learns the same. Lit with dips is a node that answers, dark with flashes one that
//! does not. Two dips are kept free for a wear budget that was passed, once there is one.

use super::colour::Colour;
use super::condition::Condition;
use super::pattern::{Frame, Pattern, Step};

/// A dip in a light that is lit otherwise, and the light between two of them.
const DIP_MS: u64 = 200;
/// From one group of dips to the next.
const BETWEEN_DIPS_MS: u64 = 5_000;
/// Dips that tell of a disk that is full or fails.
const DISK_DIPS: u64 = 3;
/// An unseal key that was given, and one that is missing.
const GIVEN_MS: u64 = 900;
const MISSING_MS: u64 = 150;
/// Before the keys of a node that is needed: longer than any of them.
const NEEDED_MS: u64 = 3_000;
/// Between two of them, and behind the last.
const GAP_MS: u64 = 350;
const PAUSE_MS: u64 = 2_500;
/// More keys than this are told in proportion.
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
        Condition::Disk(_) => dips(Colour::RED, DISK_DIPS),
        Condition::Stopping => rhythm(Colour::WHITE, &[100, 900]),
    }
}

/// Lit, dark, lit, dark, each for so many milliseconds.
fn rhythm(colour: Colour, times_ms: &[u64]) -> Pattern {
    let colours = [colour, Colour::DARK].into_iter().cycle();
    let mut steps = colours.zip(times_ms).map(|(colour, ms)| Step {
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

/// One flash for each key: long for those that were given, then short for those that are missing.
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

/// How many of how many, where at most `slots` can be shown. Something is always missing, and one
/// key at least.
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
