//! The language of the matrix: pictures, and the members as bars.
//!
//! Each picture has a shape of its own, so colours only help. All are steady but those of a node
//! that joins, is needed or has no quorum.

use super::colour::Colour;
use super::condition::{Condition, DiskTrouble, Member, Members, Standing};
use super::lamp::in_slots;
use super::pattern::{Frame, Pattern, PatternStep};
use super::picture::{Picture, SIDE};

/// The time of each picture where pictures take turns.
const TURN_MS: u64 = 1_000;
/// The row on which bars stand, and the row of the mark under this node's bar.
const GROUND: usize = 5;
const MARK: usize = 7;
/// Most members for which bars have two columns with one between.
const WIDE_MAX: usize = 3;
/// Most keys, or members, that have a column between.
const SPACED_MAX: usize = 4;

/// An hourglass.
const STARTING: [&str; SIDE] = [
    ".WWWWWW.", "..W..W..", "...WW...", "...WW...", "..W..W..", "..WWWW..", ".WWWWWW.", "........",
];
/// A question mark.
const UNINITIALISED: [&str; SIDE] = [
    "..MMMM..", ".MM..MM.", ".....MM.", "....MM..", "...MM...", "........", "...MM...", "...MM...",
];
/// An arrow to a wall: on its way, and arrived.
const JOINING: [&str; SIDE] = [
    ".......C", "..C....C", "...C...C", "CCCCC..C", "CCCCC..C", "...C...C", "..C....C", ".......C",
];
const JOINED: [&str; SIDE] = [
    ".......C", "....C..C", ".....C.C", "..CCCCCC", "..CCCCCC", ".....C.C", "....C..C", ".......C",
];
/// A padlock, above the keys.
const SEALED: [&str; SIDE] = [
    "..AAAA..", "..A..A..", ".AAAAAA.", ".AAAAAA.", ".AAAAAA.", "........", "........", "........",
];
/// An exclamation mark.
const NEEDED: [&str; SIDE] = [
    "...AA...", "...AA...", "...AA...", "...AA...", "...AA...", "........", "...AA...", "...AA...",
];
/// The same figure twice.
const SEEN_TWICE: [&str; SIDE] = [
    ".M....M.", "MMM..MMM", ".M....M.", "........", "MMM..MMM", "MMM..MMM", "M.M..M.M", "M.M..M.M",
];
/// A cross.
const NO_QUORUM: [&str; SIDE] = [
    "R......R", ".R....R.", "..R..R..", "...RR...", "...RR...", "..R..R..", ".R....R.", "R......R",
];
/// A card, worn away below.
const WRITE_BUDGET: [&str; SIDE] = [
    ".AAAAA..", ".A....A.", ".A....A.", ".A....A.", ".A.A..A.", ".AA.A.A.", ".A...A..", "........",
];
/// A card, filled.
const DISK_FULL: [&str; SIDE] = [
    ".RRRRR..", ".R....R.", ".RRRRRR.", ".RRRRRR.", ".RRRRRR.", ".RRRRRR.", ".RRRRRR.", "........",
];
/// A card, crossed out.
const DISK_FAILING: [&str; SIDE] = [
    ".RRRRR..", ".R....R.", ".RR..RR.", ".R.RR.R.", ".R.RR.R.", ".RR..RR.", ".RRRRRR.", "........",
];
/// A power switch.
const STOPPING: [&str; SIDE] = [
    "...WW...", ".W.WW.W.", "W..WW..W", "W..WW..W", "W......W", ".W....W.", "..WWWW..", "........",
];

pub(super) fn pattern(condition: &Condition) -> Pattern {
    match condition {
        Condition::Starting => steady(Picture::drawn(STARTING)),
        Condition::Uninitialised => steady(Picture::drawn(UNINITIALISED)),
        Condition::Joining => turns(Picture::drawn(JOINING), Picture::drawn(JOINED)),
        Condition::Sealed { given, needed } => steady(sealed(*given, *needed)),
        Condition::Needed { given, needed } => {
            turns(Picture::drawn(NEEDED), sealed(*given, *needed))
        }
        Condition::Standby(members) | Condition::Active(members) => steady(bars(members)),
        Condition::NoQuorum(members) => turns(Picture::drawn(NO_QUORUM), bars(members)),
        Condition::SeenTwice => steady(Picture::drawn(SEEN_TWICE)),
        Condition::WriteBudget => steady(Picture::drawn(WRITE_BUDGET)),
        Condition::Disk(DiskTrouble::Full) => steady(Picture::drawn(DISK_FULL)),
        Condition::Disk(DiskTrouble::Failing) => steady(Picture::drawn(DISK_FAILING)),
        Condition::Stopping => steady(Picture::drawn(STOPPING)),
    }
}

fn steady(picture: Picture) -> Pattern {
    Pattern::steady(Frame::Picture(picture))
}

fn turns(one: Picture, other: Picture) -> Pattern {
    let [one, other] = [one, other].map(|picture| PatternStep {
        frame: Frame::Picture(picture),
        ms: TURN_MS,
    });
    Pattern::cycle(one, [other])
}

/// Draws the keys: two pixels high for those that were given, one for those that are missing.
fn sealed(given: u8, needed: u8) -> Picture {
    let mut picture = Picture::drawn(SEALED);
    let (given, needed) = in_slots(given, needed, SIDE as u64);
    let columns = columns(usize::try_from(needed).unwrap_or(SIDE), 1);
    for (key, [column, _]) in (0..).zip(columns) {
        match key < given {
            true => picture.bar(column, MARK - 1, MARK, Colour::WHITE),
            false => picture.set(MARK, column, Colour::AMBER),
        }
    }
    picture
}

/// Draws each member's standing as the height and colour of a bar, with a mark under this node's.
fn bars(members: &Members) -> Picture {
    let mut picture = Picture::default();
    let wide = if members.len() <= WIDE_MAX { 2 } else { 1 };
    let places = columns(members.len(), wide);
    for (member, [left, right]) in members.iter().zip(places) {
        for column in left..=right {
            bar(&mut picture, column, member);
        }
    }
    picture
}

fn bar(picture: &mut Picture, column: usize, member: &Member) {
    match member.standing {
        Standing::Leads => picture.bar(column, 0, GROUND, Colour::GREEN),
        Standing::Follows => picture.bar(column, 2, GROUND, Colour::BLUE),
        Standing::Unknown => {
            // Dotted: a member of which no more is known.
            picture.set(3, column, Colour::BLUE);
            picture.set(GROUND, column, Colour::BLUE);
        }
        Standing::Sealed => picture.bar(column, GROUND - 1, GROUND, Colour::AMBER),
        Standing::Silent => picture.set(GROUND, column, Colour::RED),
    }
    if member.is_me {
        picture.set(MARK, column, Colour::WHITE);
    }
}

/// Returns the first and the last column of each of `count` things, in the middle.
fn columns(count: usize, wide: usize) -> Vec<[usize; 2]> {
    let between = usize::from(count <= SPACED_MAX);
    let whole = (count * (wide + between)).saturating_sub(between);
    let start = SIDE.saturating_sub(whole) / 2;
    let left = |at| start + at * (wide + between);
    (0..count)
        .map(|at| [left(at), left(at) + wide - 1])
        .collect()
}
