//! A node's life from start to end, as its lights show it, compared with a recording.
//!
//! `BLESS=1 cargo test` records the code's present output anew.

use crate::hardware::tests::recorded;
use crate::hardware::{
    Colour, Condition, DiskTrouble, Face, Frame, Member, Members, Picture, SIDE, Standing,
};
use std::fmt::Write as _;
use std::time::Duration;

/// Returns the conditions with their beginnings, in milliseconds.
fn story() -> Vec<(u64, Condition)> {
    use Standing::{Follows, Leads, Sealed, Silent, Unknown};
    let members = |standings: &[Standing], me: usize| {
        let all = standings.iter().enumerate();
        Members::new(all.map(|(at, standing)| Member {
            standing: *standing,
            is_me: at == me,
        }))
    };
    let sealed = |given| Condition::Sealed { given, needed: 3 };
    vec![
        (0, Condition::Starting),
        (1_200, Condition::Uninitialised),
        (6_000, Condition::Joining),
        (9_000, sealed(0)),
        (13_000, sealed(1)),
        (18_000, sealed(2)),
        (
            24_000,
            Condition::Standby(members(&[Leads, Follows, Unknown], 1)),
        ),
        (
            36_000,
            Condition::NoQuorum(members(&[Unknown, Follows, Unknown], 1)),
        ),
        (
            39_000,
            Condition::Active(members(&[Silent, Leads, Sealed], 1)),
        ),
        (
            50_000,
            Condition::Active(members(&[Follows, Leads, Sealed, Follows], 1)),
        ),
        (55_000, Condition::Disk(DiskTrouble::Full)),
        (67_000, Condition::Disk(DiskTrouble::Failing)),
        (69_000, Condition::Stopping),
        (71_500, Condition::Active(members(&[Leads], 0))),
        (
            72_000,
            Condition::Sealed {
                given: 7,
                needed: 9,
            },
        ),
        (
            75_000,
            Condition::Needed {
                given: 1,
                needed: 3,
            },
        ),
        (90_000, Condition::SeenTwice),
        (96_000, Condition::WriteBudget),
    ]
}

const END_MS: u64 = 102_000;

/// Returns every change of the light, as a light's thread makes it: it sleeps for the time that the
/// pattern gives, or until the condition changes.
fn changes(face: Face) -> Vec<(u64, String, Option<Frame>)> {
    let story = story();
    let ends = story.iter().skip(1).map(|(at, _)| *at).chain([END_MS]);
    let mut changes = Vec::new();
    let mut shown = None;
    for ((begin, condition), end) in story.iter().zip(ends) {
        let pattern = face.pattern(condition);
        let mut now = *begin;
        changes.push((now, condition.name(), None));
        while now < end {
            let (frame, left) = pattern.at(Duration::from_millis(now - begin));
            if shown.as_ref() != Some(frame) {
                changes.push((now, String::new(), Some(frame.clone())));
                shown = Some(frame.clone());
            }
            let left = left.map(|left| u64::try_from(left.as_millis()).unwrap());
            now += left.unwrap_or(END_MS);
        }
    }
    changes
}

fn letter(colour: Colour) -> char {
    let found = Colour::LETTERS.iter().find(|(_, known)| *known == colour);
    found.expect("every colour has a letter").0
}

fn rows(picture: &Picture) -> String {
    let mut text = String::new();
    for row in 0..SIDE {
        text.push_str("          ");
        text.extend((0..SIDE).map(|column| letter(picture.pixel(row, column))));
        text.push('\n');
    }
    text
}

#[test]
fn a_nodes_way_is_shown_as_it_was_recorded() {
    let mut text = String::new();
    for (face, title) in [(Face::Lamp, "one lamp"), (Face::Matrix, "the matrix")] {
        writeln!(text, "== {title}").unwrap();
        for (at_ms, name, frame) in changes(face) {
            let at = format!("{:>6}.{:03}", at_ms / 1_000, at_ms % 1_000);
            match frame {
                None => writeln!(text, "{at}  {name}:").unwrap(),
                Some(Frame::Lamp(colour)) => writeln!(text, "{at}    {}", letter(colour)).unwrap(),
                Some(Frame::Picture(picture)) => write!(text, "{at}\n{}", rows(&picture)).unwrap(),
            }
        }
    }
    recorded("src/hardware/tests/timeline.txt", &text);
}
