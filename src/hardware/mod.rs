//! Status lights: a node's condition, shown by an LED, by one of three colours, or by a matrix.
//!
//! Owns the language of the lights ([`Condition`] to [`Pattern`] to [`Frame`], all of it pure), the
//! devices that speak it, and a thread for each of them.
//!
//! | condition | one lamp: rhythm | colour | matrix |
//! |---|---|---|---|
//! | starting | half a second on, half off | white | an hourglass |
//! | uninitialised | 2 s on, 2 s off | magenta | a question mark |
//! | joining | short, long, pause | cyan | an arrow that moves to a wall |
//! | sealed | a long flash for each key that was given, a short one for each that is missing, pause | amber | a padlock; under it two pixels for each key that was given, one for each that is missing |
//! | sealed and needed | a flash of three seconds, then as sealed | amber | an exclamation mark, in turns with the padlock |
//! | standby | lit, one dip every 5 s | blue | the members, see below |
//! | active | lit | green | the members |
//! | no quorum | a quarter of a second on, a quarter off | red | a cross, in turns with the members |
//! | a member seen twice | lit, a short dip and a long one every 4.4 s | magenta | the same figure twice |
//! | write budget passed | lit, two dips every 5 s | amber | a card, worn away below |
//! | disk full | lit, three dips every 5 s | red | a card, filled |
//! | disk failing | lit, three dips every 5 s | red | a card, crossed out |
//! | shutting down | a tenth of a second on, the rest of it off | white | a power switch |
//! | not running | dark | | dark |
//!
//! The members are bars, sorted by name, with a white mark under this node's. The tallest leads
//! (green), four pixels are unsealed (blue; dotted: a member that this node hears nothing of
//! directly, as standbys of each other), two are sealed (amber), one is silent (red).
//!
//! Invariants
//! - Every condition has a rhythm and a shape of its own (the two kinds of disk trouble share a
//!   rhythm), so colours only help. Nothing flashes more than three times a second.
//! - A steady frame needs no timer: an active node's lights, and all but three pictures, cost
//!   nothing.
//! - The node never waits for a device. Each has its thread and takes the newest condition; a
//!   device that is absent, busy, slow or fails is one line in the log, and the next only after it
//!   has worked again. The end waits two seconds at most for the lights to go off.
//! - A device has one user: a second one finds it in use.
//!
//! This room never decides a node's condition, and reads no configuration.

mod colour;
mod condition;
mod error;
mod gpio;
mod indicator;
mod keeper;
mod lamp;
mod led;
mod light;
mod lights;
mod mailbox;
mod matrix;
mod pattern;
mod picture;
mod rehearsal;
mod sense_hat;
#[cfg(test)]
mod tests;

pub use colour::Colour;
pub use condition::{Condition, DiskTrouble, Member, Members, Standing};
pub use error::HardwareError;
pub use indicator::{INDICATORS_MAX, Indicator, PIN_MAX};
pub use light::{Gpio, Led, Light, Pins, SenseHat};
pub use lights::{Lights, Panel};
pub use pattern::{Face, Frame, Pattern, PatternStep};
pub use picture::{Picture, SIDE};
pub use rehearsal::{Rehearsal, switch_off};
