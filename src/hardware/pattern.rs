//! Patterns: frames that follow each other, again and again.

use super::colour::Colour;
use super::picture::Picture;
use std::time::Duration;

/// The output of a light at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One lamp.
    Lamp(Colour),
    /// A matrix of 8 by 8.
    Picture(Picture),
}

/// The output that a kind of light is capable of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// One lamp, with or without colours.
    Lamp,
    /// A matrix of 8 by 8.
    Matrix,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternStep {
    /// The frame.
    pub frame: Frame,
    /// The time of the frame, in milliseconds.
    pub ms: u64,
}

/// Frames that follow each other and begin anew. A pattern of one frame is steady: it needs no
/// clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    first: Frame,
    /// All steps, or none where the pattern is steady.
    cycle: Vec<PatternStep>,
}

impl Pattern {
    /// Returns a pattern of one frame.
    pub fn steady(frame: Frame) -> Self {
        Self {
            first: frame,
            cycle: Vec::new(),
        }
    }

    /// Returns a pattern of `first`, then the others, each for its time.
    pub fn cycle(first: PatternStep, others: impl IntoIterator<Item = PatternStep>) -> Self {
        let frame = first.frame.clone();
        let mut cycle = vec![first];
        cycle.extend(others);
        Self {
            first: frame,
            cycle,
        }
    }

    /// Returns the steps; none where the pattern is steady.
    pub fn steps(&self) -> &[PatternStep] {
        &self.cycle
    }

    /// Returns the first frame.
    pub const fn first(&self) -> &Frame {
        &self.first
    }

    /// Returns the frame at the time `elapsed` since the pattern began, and the time for which it
    /// stays; `None` is for good.
    pub fn at(&self, elapsed: Duration) -> (&Frame, Option<Duration>) {
        let whole: u128 = self.cycle.iter().map(|step| u128::from(step.ms)).sum();
        let Some(mut into) = elapsed.as_millis().checked_rem(whole) else {
            return (&self.first, None);
        };
        let part = Duration::from_nanos(u64::from(elapsed.subsec_nanos() % 1_000_000));
        for step in &self.cycle {
            match u128::from(step.ms).checked_sub(into) {
                Some(left @ 1..) => {
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(step.ms));
                    return (&step.frame, Some(left.saturating_sub(part)));
                }
                _ => into -= u128::from(step.ms),
            }
        }
        (&self.first, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_begins_anew_and_says_how_long_to_sleep() {
        let step = |colour, ms| PatternStep {
            frame: Frame::Lamp(colour),
            ms,
        };
        let pattern = Pattern::cycle(step(Colour::RED, 200), [step(Colour::DARK, 800)]);
        let at = |micros| {
            let (frame, left) = pattern.at(Duration::from_micros(micros));
            (frame.clone(), left.unwrap().as_micros())
        };
        let (red, dark) = (Frame::Lamp(Colour::RED), Frame::Lamp(Colour::DARK));
        assert_eq!(at(0), (red.clone(), 200_000));
        assert_eq!(at(199_999), (red.clone(), 1));
        assert_eq!(at(200_000), (dark.clone(), 800_000));
        assert_eq!(at(999_500), (dark, 500));
        assert_eq!(at(86_400_000_000), (red, 200_000), "a day later");
    }

    #[test]
    fn what_is_steady_never_wakes() {
        let pattern = Pattern::steady(Frame::Lamp(Colour::GREEN));
        let (frame, left) = pattern.at(Duration::from_secs(5));
        assert_eq!((frame, left), (&Frame::Lamp(Colour::GREEN), None));
    }
}
