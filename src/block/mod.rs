//! The disk beneath a folder, as the kernel shows it in `/sys` and `/proc`: its kind, its counters,
//! the card's own facts and health, and the mount that the folder is on; and media by the name of
//! their file system (`medium.rs`).
//!
//! Owns nothing and writes nothing: each call reads a few small files. Every call takes a
//! [`Machine`], the folder that holds `sys` and `proc`: `/`, or a tree that a test made.
//!
//! Invariants
//! - A fact that the kernel does not show is absent, never guessed.
//! - Reading a counter touches no disk.
//!
//! It never asks a card by an ioctl: the health that some SD cards give by CMD56 takes a program
//! that runs as root, and an answer whose form each maker keeps to itself.

mod card;
mod counters;
mod disk;
mod machine;
mod medium;
mod mount;
#[cfg(test)]
pub mod tests;

pub use card::{Card, Life};
pub use counters::Counters;
pub use disk::{Disk, DiskKind, Unknown, beneath};
pub use machine::Machine;
pub use medium::{Medium, MediumName, media};
pub use mount::Mount;
