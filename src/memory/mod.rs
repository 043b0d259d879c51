//! The memory that the process may take: the sizes of caches and pools that scale, by the memory of
//! the machine.
//!
//! Owns two sets of sizes, [`DEFAULT`] and [`SMALL`], and the choice between them. The rooms that
//! hold memory are given [`Sizes`] when they are opened; a room that is given none takes
//! [`DEFAULT`]. `docs/memory.md` lists them beside everything that does not scale.
//!
//! Invariants
//! - The choice is made once, at the start: no request looks at it.
//! - The overlay of the state does not scale: a smaller one would write more to the card.
//!
//! It never measures the memory that is in use.

mod choice;
mod sizes;

pub use choice::{Chosen, Profile, SMALL_BELOW_BYTES, choose, group_limit};
pub use sizes::{DEFAULT, Requests, SMALL, Sizes};
