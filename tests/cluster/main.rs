//! The cluster under faults.
//!
//! `seeded` runs nodes in one process, on a network and on devices of ours; `real` and `netns` run
//! the binary. Clients write down what they were told, and `check` decides whether one copy could
//! have told it; `invariants` has one file for each promise. Counts and seeds come from the
//! environment: see `run` beside this file.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod before;
mod check;
mod fleet;
mod http;
mod invariants;
mod load;
mod netns;
mod real;
mod seeded;
mod thief;
mod upgrade;
#[path = "../support/wait.rs"]
mod wait;
